"""The labelled sets are read and judged as they are meant."""

from pathlib import Path

from shouxin.bench.matching import by_name_and_address, by_near_text, by_number, quality, read, true_pairs

ROWS = """rec_id, given_name, surname, street_number, address_1, suburb, postcode, soc_sec_id
rec-1-org, lachlan, berry, 69, giblin street, bittern, 4814, 7364009
rec-1-dup-0, lachlan, bery, 69, giblin stret, bittern, 4814, 7364009
rec-2-org, deakin, sondergeld, 48, goldfinch circuit, canterbury, 2776, 2635962
rec-2-dup-0, deakin, sondergeld, 48, goldfinch circuit, canterbury, 2776, 2635926
rec-3-org, mia, waller, 6, tullaroop street, st james, 4011, 6988048
"""


def test_each_way_finds_what_it_can(tmp_path: Path) -> None:
    file = tmp_path / "dataset1.csv"
    file.write_text(ROWS, encoding="utf-8")
    rows = read([file])
    assert true_pairs(rows) == {(0, 1), (2, 3)}
    assert (by_number(rows), by_name_and_address(rows)) == ({(0, 1)}, {(2, 3)})
    assert by_near_text(rows)[80] == {(0, 1), (2, 3)}
    assert quality({(0, 1), (0, 2)}, {(0, 1), (2, 3)}) == (0.5, 0.5, 0.5)
