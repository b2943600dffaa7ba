"""Every address of the site."""

from django.urls import include, path

from shouxin.web.views import bank, customers, drawings, groups, parameters, search, session, workbench

urlpatterns = [
    path("healthz", session.health, name="healthz"),
    path("sign-in/", session.SignInView.as_view(), name="sign_in"),
    path("sign-out/", session.SignOutView.as_view(), name="sign_out"),
    path("i18n/", include("shouxin.web.language_urls")),
    path("", workbench.show, name="workbench"),
    path("search/", search.show, name="search"),
    path("customers/", customers.show_list, name="customer_list"),
    path("customers/new/", customers.add, name="customer_add"),
    path("customers/export.<str:form>", customers.export, name="customer_export"),
    path("customers/print/", customers.print_list, name="customer_print"),
    path("customers/<str:number>/", customers.show, name="customer_detail"),
    path("customers/<str:number>/contacts/", customers.add_contact, name="customer_contact_add"),
    path("customers/<str:number>/class/", customers.classify, name="customer_classify"),
    path("customers/<str:number>/next-step/", customers.set_next_step, name="customer_next_step"),
    path("customers/<str:number>/drawings/new/", drawings.add, name="drawing_new"),
    path("drawings/", drawings.show_list, name="drawing_list"),
    path("drawings/<uuid:pk>/", drawings.show, name="drawing_detail"),
    path("drawings/<uuid:pk>/release/", drawings.release, name="drawing_release"),
    path("drawings/<uuid:pk>/withdraw/", drawings.withdraw, name="drawing_withdraw"),
    path("groups/", groups.show_list, name="group_list"),
    path("groups/identify/", groups.identify, name="group_identify"),
    path("groups/proposals/<int:pk>/", groups.show_candidate, name="candidate_detail"),
    path("groups/tasks/<int:pk>/", groups.show_task, name="merge_task"),
    path("groups/<str:number>/", groups.show, name="group_detail"),
    path("parameters/", parameters.show_list, name="parameter_list"),
    path("parameters/<str:key>/", parameters.show, name="parameter_detail"),
    path("products/", parameters.show_products, name="product_list"),
    path("bank/", bank.show, name="bank_overview"),
    path("bank/capital/<int:pk>/approve/", bank.approve_capital, name="capital_approve"),
]
