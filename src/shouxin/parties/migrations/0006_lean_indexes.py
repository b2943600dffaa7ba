"""Less to keep on every write of the list: indexes that another one covers, and checks that another one makes.

* ``main_owner`` and ``main_class`` are copies; ownerships and classifications hold the foreign keys.
* A class belongs to one scheme: one foreign key over both columns says more than one over each.
* ``LIKE`` on customer numbers and ids is answered by the text index, or not asked.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


LIKE_INDEXES = """
DROP INDEX IF EXISTS parties_customer_number_864ef8a6_like;
DROP INDEX IF EXISTS parties_party_source_id_8d62ced6_like;
"""
ONE_KEY = """
ALTER TABLE parties_customerclass ADD CONSTRAINT class_with_its_scheme UNIQUE (id, scheme_id);
ALTER TABLE parties_classification ADD CONSTRAINT class_is_of_that_scheme
  FOREIGN KEY (customer_class_id, scheme_id) REFERENCES parties_customerclass (id, scheme_id)
  DEFERRABLE INITIALLY DEFERRED;
"""
ONE_KEY_BACK = """
ALTER TABLE parties_classification DROP CONSTRAINT class_is_of_that_scheme;
ALTER TABLE parties_customerclass DROP CONSTRAINT class_with_its_scheme;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('parties', '0005_profile_and_segments'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(LIKE_INDEXES, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='classification',
            name='customer_class',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='classifications', to='parties.customerclass'),
        ),
        migrations.AlterField(
            model_name='classification',
            name='decided_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='classification',
            name='scheme',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.classscheme'),
        ),
        migrations.AlterField(
            model_name='contactpoint',
            name='customer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='contact_points', to='parties.customer'),
        ),
        migrations.AlterField(
            model_name='customer',
            name='main_class',
            field=models.ForeignKey(db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.customerclass'),
        ),
        migrations.AlterField(
            model_name='customer',
            name='main_owner',
            field=models.ForeignKey(db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='customer',
            name='merged_into',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='parties.customer'),
        ),
        migrations.RunSQL(ONE_KEY, ONE_KEY_BACK),
    ]
