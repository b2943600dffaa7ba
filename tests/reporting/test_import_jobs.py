"""Customer lists as jobs: counted, mended, stopped, gone on with, undone; and files that nobody should send."""

import datetime as dt
import zipfile
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from shouxin.bank.models import Staff
from shouxin.engagement.models import Activity, Contact
from shouxin.intake.evidence_files import EvidenceError
from shouxin.intake.list_files import open_list, read_day
from shouxin.parties.models import ClassScheme, ContactPoint, Customer, CustomerClass, FormerName
from shouxin.parties.selectors import search_filter
from shouxin.parties.services import add_prospect, set_next_step
from shouxin.reporting import import_jobs
from shouxin.reporting.import_jobs import ImportRefusedError, import_now, stage_file
from shouxin.reporting.models import ImportEffect, ImportJob, ImportRow
from shouxin.reporting.tasks import run_import
from tests.conftest import DAY, SmallBank

HEAD = "企业名称,税号,手机,邮箱,类别,下一步,下一步日期\n"
ROWS = (
    "明远贸易,91330100MA2DEM04XC,13812345678,a@example.com,A 类,回访,2025/7/1\n"
    "建军钢构,,0571-88001234,,B 类,,\n"
    "亮剑运输,,13900000001,,,,\n"
)


@pytest.fixture(autouse=True)
def classes(db: None) -> None:
    scheme = ClassScheme.objects.create(code="four", name="四类", is_main=True)
    for place, code in enumerate("AB"):
        CustomerClass.objects.create(scheme=scheme, code=code, name=f"{code} 类", follow_up_days=7, position=place)


def write(tmp_path: Path, text: str, name: str = "list.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def bring(tmp_path: Path, bank: SmallBank, text: str, **options: object) -> ImportJob:
    return import_now(actor=bank.manager_west, path=write(tmp_path, text), business_date=DAY, **options)  # type: ignore[arg-type]


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    assert job.created + job.updated + job.skipped + job.failed == job.rows_read
    return job.created, job.updated, job.skipped, job.failed


def test_a_list_comes_in_with_class_owner_search_keys_and_validity(small_bank: SmallBank, tmp_path: Path) -> None:
    job = bring(tmp_path, small_bank, HEAD + ROWS)
    assert (counts(job), job.encoding) == ((3, 0, 0, 0), "UTF-8")
    first = Customer.objects.get(party__name="明远贸易")
    assert (first.main_owner, first.main_class.code, first.is_valid) == (small_bank.manager_west, "A", True)  # type: ignore[union-attr]
    assert (first.next_step, first.next_step_date) == ("回访", dt.date(2025, 7, 1))
    for text in ("明远", "mmyy", "mingyuan", "13812345678", "2345", "91330100ma2d", "a@example"):
        found = set(Customer.objects.filter(search_filter(text)).values_list("party__name", flat=True))
        assert found == (set() if text == "mmyy" else {"明远贸易"}), text
    assert not Customer.objects.get(party__name="亮剑运输").is_valid
    assert {row.state for row in ImportRow.objects.filter(job=job)} == {"new"}


def test_the_same_list_again_changes_nothing_and_a_blank_never_overwrites(
    small_bank: SmallBank, tmp_path: Path
) -> None:
    bring(tmp_path, small_bank, HEAD + ROWS)
    assert counts(bring(tmp_path, small_bank, HEAD + ROWS)) == (0, 0, 3, 0)
    changed = HEAD + "明远贸易（新名）,91330100MA2DEM04XC,13812345679,,B 类,,\n"
    assert counts(bring(tmp_path, small_bank, changed)) == (0, 1, 0, 0)
    customer = Customer.objects.get(party__uscc="91330100MA2DEM04XC")
    assert (customer.party.name, customer.next_step, customer.main_class.code) == ("明远贸易（新名）", "回访", "B")  # type: ignore[union-attr]
    assert set(customer.contact_points.values_list("value", flat=True)) == {
        "13812345678", "13812345679", "a@example.com",
    }  # fmt: skip
    assert FormerName.objects.get().name == "明远贸易"


def test_rows_that_are_wrong_or_doubled_are_counted_named_and_mended(small_bank: SmallBank, tmp_path: Path) -> None:
    text = HEAD + ROWS + "坏公司,9.11E+17,,,,,\n亮剑运输,,13900000001,,,,\n,,,,,,x\n差公司,,12,,,,\n"
    with pytest.raises(EvidenceError) as caught:
        bring(tmp_path, small_bank, text)
    assert [(e.line, e.column) for e in caught.value.errors] == [
        (5, "税号"), (7, "企业名称"), (7, "下一步日期"), (8, "手机"),
    ]  # fmt: skip
    assert "科学计数" in caught.value.errors[0].reason
    assert not Customer.objects.exists()
    job = stage_file(actor=small_bank.manager_west, path=write(tmp_path, text), business_date=DAY)
    assert (job.new_rows, job.update_rows, job.duplicate_rows, job.error_rows) == (3, 0, 1, 3)
    with pytest.raises(ImportRefusedError, match="3 行错误"):
        import_jobs.start(job=job, skips_bad_rows=False)
    mended = import_jobs.fix_row(job=job, line=5, cells=["坏公司", "", "13700000000", "", "", "", ""])
    assert (mended.state, ImportJob.objects.get(pk=job.pk).error_rows) == ("new", 2)
    import_jobs.start(job=job, skips_bad_rows=True)
    assert counts(import_jobs.run(job_id=job.pk)) == (4, 0, 1, 2)
    failed = list(import_jobs.failed_rows(job))
    assert failed[0] == [*HEAD.strip().split(","), "错误"]
    assert [row[0] for row in failed[1:]] == ["", "差公司"]
    assert "不足 7 位" in failed[2][-1]


def test_a_dry_run_counts_and_keeps_nothing(small_bank: SmallBank, tmp_path: Path) -> None:
    assert counts(bring(tmp_path, small_bank, HEAD + ROWS, is_dry_run=True)) == (3, 0, 0, 0)
    assert not Customer.objects.exists()
    assert not ImportJob.objects.exists()


def test_a_run_stops_between_two_parts_and_goes_on_from_there(small_bank: SmallBank, tmp_path: Path) -> None:
    rows = "".join(f"公司{n},,1380000{n:04d},,,,\n" for n in range(10))
    job = stage_file(actor=small_bank.manager_west, path=write(tmp_path, HEAD + rows), business_date=DAY)
    job = import_jobs.start(job=job, skips_bad_rows=False)
    job = import_jobs.run(job_id=job.pk, part_rows=4, progress=lambda running: import_jobs.ask_to_stop(job=running))
    assert (job.state, job.rows_done, Customer.objects.count()) == ("stopped", 4, 4)
    import_jobs.start(job=job, skips_bad_rows=False)
    job = import_jobs.run(job_id=job.pk, part_rows=4)
    assert (job.state, counts(job), Customer.objects.count()) == ("done", (10, 0, 0, 0), 10)


def test_a_part_that_breaks_leaves_nothing_of_itself_and_the_rest_comes_later(
    small_bank: SmallBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"公司{n},,1380000{n:04d},,,,\n" for n in range(10))
    job = stage_file(actor=small_bank.manager_west, path=write(tmp_path, HEAD + rows), business_date=DAY)
    import_jobs.start(job=job, skips_bad_rows=False)
    keep, calls = import_jobs._keep_effects, []

    def break_second(*arguments: object) -> None:
        calls.append(1)
        keep(*arguments)  # type: ignore[arg-type]
        if len(calls) == 2:
            raise OSError("the machine went down")

    monkeypatch.setattr(import_jobs, "_keep_effects", break_second)
    with pytest.raises(OSError, match="went down"), transaction.atomic():
        import_jobs.run(job_id=job.pk, part_rows=4)
    monkeypatch.setattr(import_jobs, "_keep_effects", keep)
    job = import_jobs.run(job_id=job.pk, part_rows=4)
    assert (counts(job), Customer.objects.count()) == ((10, 0, 0, 0), 10)


def test_the_same_file_runs_once_at_a_time(small_bank: SmallBank, tmp_path: Path) -> None:
    jobs = [
        stage_file(actor=small_bank.manager_west, path=write(tmp_path, HEAD + ROWS), business_date=DAY) for _ in "12"
    ]
    import_jobs.start(job=jobs[0], skips_bad_rows=False)
    with pytest.raises(ImportRefusedError, match="同一文件正在导入"):
        import_jobs.start(job=jobs[1], skips_bad_rows=False)
    import_jobs.run(job_id=jobs[0].pk)
    import_jobs.start(job=jobs[1], skips_bad_rows=False)
    assert counts(import_jobs.run(job_id=jobs[1].pk)) == (0, 0, 3, 0), "checked before, looked up again when it ran"


def test_undo_takes_back_what_nobody_touched_and_restores_what_was_changed(
    small_bank: SmallBank, tmp_path: Path
) -> None:
    bring(tmp_path, small_bank, HEAD + ROWS)
    text = HEAD + (
        "明远新名,91330100MA2DEM04XC,13811111111,,B 类,签约,2025-08-01\n建军钢构,,,,A 类,,\n"
        "新甲,,13700000001,,,,\n新乙,,13700000002,,,,\n"
    )
    job = bring(tmp_path, small_bank, text)
    assert counts(job) == (2, 2, 0, 0)
    edited = Customer.objects.get(party__name="新乙")
    set_next_step(
        actor=small_bank.manager_west, customer=edited, next_step="已联系", next_step_date=DAY, business_date=DAY
    )
    result = import_jobs.undo(job=job, actor=small_bank.manager_west, business_date=DAY)
    assert result == {"reversed": 3, "kept": 1, "gone": 0, "failed": 0}
    first = Customer.objects.get(party__uscc="91330100MA2DEM04XC")
    assert (first.party.name, first.next_step, first.next_step_date, first.main_class.code) == (  # type: ignore[union-attr]
        "明远贸易", "回访", dt.date(2025, 7, 1), "A",
    )  # fmt: skip
    assert set(first.contact_points.values_list("value", flat=True)) == {"13812345678", "a@example.com"}
    assert set(Customer.objects.values_list("party__name", flat=True)) == {"明远贸易", "建军钢构", "亮剑运输", "新乙"}
    assert Customer.objects.get(party__name="建军钢构").main_class.code == "B"  # type: ignore[union-attr]
    with pytest.raises(ImportRefusedError, match="已撤销"):
        import_jobs.undo(job=ImportJob.objects.get(pk=job.pk), actor=None, business_date=DAY)


def test_an_import_neither_changes_nor_names_what_its_author_does_not_see(
    small_bank: SmallBank, tmp_path: Path
) -> None:
    add_prospect(
        actor=small_bank.manager_east,
        name="别人的公司",
        kind="org",
        contacts=(),
        customer_class=None,
        business_date=DAY,
    )
    job = bring(tmp_path, small_bank, HEAD + "别人的公司,,13800000000,,,,\n", skips_bad_rows=True)
    assert counts(job) == (0, 0, 0, 1)
    assert "不在您的数据范围" in import_jobs.reasons_of(ImportRow.objects.get(job=job), job)[0]
    assert not ContactPoint.objects.exists()


def test_the_worker_runs_a_started_import(small_bank: SmallBank, tmp_path: Path, run_jobs: object) -> None:
    job = stage_file(actor=small_bank.manager_west, path=write(tmp_path, HEAD + ROWS), business_date=DAY)
    import_jobs.start(job=job, skips_bad_rows=False)
    run_import.defer(job_id=job.pk)
    assert run_jobs() == [{"created": 3, "updated": 0, "skipped": 0, "failed": 0}]  # type: ignore[operator]
    assert ImportEffect.objects.filter(job=job).count() == 3


def test_a_mapping_given_by_hand_is_used_and_found_again(small_bank: SmallBank, tmp_path: Path) -> None:
    text = "甲列,乙列\n明远贸易,13812345678\n"
    with pytest.raises(EvidenceError, match="缺少列 名称"):
        bring(tmp_path, small_bank, text)
    mapping = {"甲列": "name", "乙列": "phone"}
    assert counts(bring(tmp_path, small_bank, text, columns=mapping)) == (1, 0, 0, 0)
    import_jobs.save_mapping(
        actor=small_bank.manager_west, table="customers", name="我行格式", titles=["甲列", "乙列"], columns=mapping
    )
    found = import_jobs.find_mapping(table="customers", titles=["甲列", "乙列"])
    assert found is not None
    assert found.columns == mapping


def test_an_owner_and_a_class_that_are_not_there_are_named(small_bank: SmallBank, tmp_path: Path) -> None:
    Staff.objects.filter(username="manager-east").update(is_active=False)
    with pytest.raises(EvidenceError) as caught:
        bring(tmp_path, small_bank, "名称,工号,类别\n甲,manager-east,\n乙,,Z 类\n")
    assert [(e.line, e.column) for e in caught.value.errors] == [(2, "工号"), (3, "类别")]


# --- files that nobody should send -----------------------------------------------------------------------------------


def _read_all(path: Path) -> None:
    list(open_list(path).rows())


def refusal(path: Path) -> str:
    with pytest.raises(EvidenceError) as caught:
        _read_all(path)
    return caught.value.errors[0].code


def test_one_endless_line_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "line.csv"
    file.write_bytes(b"\xe5\x90\x8d," * 2_000_000)
    assert refusal(file) == "LINE_TOO_LONG"


def test_a_workbook_that_unfolds_to_gigabytes_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    assert file.stat().st_size < 100_000
    assert refusal(file) == "WORKBOOK_TOO_BIG"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 half an upload", "WORKBOOK_BROKEN"),
        ("名称,名称\n甲,乙\n".encode(), "COLUMN_DUPLICATE"),
        ("名称,,电话\n甲,乙,丙\n".encode(), "HEADER_MERGED"),
        (b"", "HEADER_MISSING"),
        (b"\x81\x20\xff\xff\n", "ENCODING_UNKNOWN"),
        (b"a,b\0\n1,2\n", "ENCODING_UNKNOWN"),
        ("名称\n甲".encode() + b"\xe5\x90", "FILE_CUT_OFF"),
        ('名称\n"甲\n'.encode(), "CSV_BROKEN"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / ("book.xlsx" if content.startswith(b"PK") else "list.csv")
    file.write_bytes(content)
    assert refusal(file) == code


def test_chinese_of_either_encoding_is_read_and_named(tmp_path: Path) -> None:
    for encoding, name in (("utf-8-sig", "UTF-8"), ("gb18030", "GB18030")):
        file = tmp_path / "list.csv"
        file.write_bytes("名称\n䶮明贸易\n".encode(encoding))
        source = open_list(file)
        assert (source.encoding, list(source.rows())) == (name, [(2, ["䶮明贸易"])])


def test_a_workbook_with_numbers_and_dates_as_they_come(small_bank: SmallBank, tmp_path: Path) -> None:
    import xlsxwriter

    file = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("名单")
        sheet.write_row(0, 0, ["名称", "电话", "下一步", "下一步日期", "统一社会信用代码"])
        sheet.write_row(1, 0, ["甲公司", 13812345678, "回访", "2025年7月1日", ""])
        sheet.write_row(2, 0, ["乙公司", 57188001234, "签约", 45840, ""])
        sheet.write_row(3, 0, ["丙公司", "", "", "", 911234567890123456])
    job = import_now(actor=small_bank.manager_west, path=file, business_date=DAY, skips_bad_rows=True)
    assert (counts(job), job.encoding) == ((2, 0, 0, 1), "xlsx")
    days = dict(Customer.objects.values_list("party__name", "next_step_date"))
    assert days == {"甲公司": dt.date(2025, 7, 1), "乙公司": dt.date(2025, 7, 2)}
    assert set(ContactPoint.objects.values_list("digits", flat=True)) == {"13812345678", "57188001234"}


@pytest.mark.parametrize(
    "text", ["2025-6-1", "2025/06/01", "2025.6.1", "2025年6月1日", "20250601", "45809", "2025-06-01 00:00:00"]
)
def test_a_day_is_read_however_it_is_written(text: str) -> None:
    assert read_day(text) == dt.date(2025, 6, 1)


# --- contacts and follow-ups ---------------------------------------------------------------------------------------


def relations(tmp_path: Path, bank: SmallBank, table: str, text: str, **options: bool) -> tuple[int, int, int]:
    job = bring(tmp_path, bank, text, table=table, **options)
    created, updated, skipped, failed = counts(job)
    assert updated == 0
    return created, skipped, failed


def test_follow_ups_keep_their_author_and_time_and_are_found(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, HEAD + ROWS)
    text = (
        "客户名称,方式,时间,跟进人,内容\n明远贸易,拜访,2024-05-06 10:30:00,manager-west,谈扩建冷库\n"
        "建军钢构,电话,2024/5/7,老王,报价\n"
    )
    assert relations(tmp_path, small_bank, "follow_ups", text) == (2, 0, 0)
    assert relations(tmp_path, small_bank, "follow_ups", text) == (0, 2, 0)
    first, second = Activity.objects.order_by("happened_at")
    assert (first.author, first.author_name, first.is_imported) == (small_bank.manager_west, "manager-west", True)
    assert (second.author, second.author_name) == (None, "老王")
    assert timezone.localtime(first.happened_at).isoformat() == "2024-05-06T10:30:00+08:00"
    assert Customer.objects.get(search_filter("冷库")).last_contact_date == dt.date(2024, 5, 6)


def test_a_wrong_relation_is_named_and_nothing_is_written(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, HEAD + ROWS)
    text = (
        "客户,姓名,角色,层级\n明远贸易,张三,财务总监,老板\n没有的,李四,,\n"
        "建军钢构,王五,算命先生,\n亮剑运输,赵六,,总统\n"
    )
    with pytest.raises(EvidenceError) as caught:
        relations(tmp_path, small_bank, "contacts", text)
    assert [e.line for e in caught.value.errors] == [3, 4, 5]
    assert not Contact.objects.exists()
    assert relations(tmp_path, small_bank, "contacts", text, skips_bad_rows=True) == (1, 0, 3)
    assert Contact.objects.get().role.name == "财务总监"  # type: ignore[union-attr]


def test_a_known_contact_with_other_details_is_no_repetition(small_bank: SmallBank, tmp_path: Path) -> None:
    """Passed over only when nothing new is said; telephones are whole ones, and customers are found by both."""
    bring(tmp_path, small_bank, HEAD + ROWS)
    head = "客户,姓名,电话\n"
    text = f"{head}明远贸易,许洁,13805710006\n明远贸易,许洁,13805710007\n建军钢构,老李,12\n"
    assert relations(tmp_path, small_bank, "contacts", text, skips_bad_rows=True) == (1, 0, 2)
    assert relations(tmp_path, small_bank, "contacts", f"{head}明远贸易,许洁,13805710006\n") == (0, 1, 0)
    with pytest.raises(EvidenceError) as caught:
        relations(tmp_path, small_bank, "contacts", f"{head}明远贸易,许洁,13805710009\n")
    assert "已有同名联系人" in caught.value.errors[0].reason
    for asked in ("13805710006", "0006", "许洁"):
        assert Customer.objects.get(search_filter(asked)).party.name == "明远贸易", asked


def test_a_follow_up_of_the_future_is_refused(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, HEAD + ROWS)
    with pytest.raises(EvidenceError) as caught:
        relations(tmp_path, small_bank, "follow_ups", "客户名称,方式,时间,内容\n明远贸易,拜访,2099-05-01,谈\n")
    assert "晚于现在" in caught.value.errors[0].reason
    assert not Activity.objects.exists()
