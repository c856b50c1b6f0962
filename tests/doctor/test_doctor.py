"""Each kind of finding is found in an image that shows it, and none in a sound image."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.doctor_cases import CASES, NOTE, V3_AND_V4, FakeCard, area, flash, loading, with_card
from doctor.fix_commands import check_command
from image.whole_image import FLASH
from kmodel.make_models import make_v3, make_v4
from maixfs.doctor import Subject, examine_subject, examine_target, report_boot, verdict
from maixfs.finding import RULE_MODULES, Command, Cost, Examination, Finding, kinds, rules
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

TABLE = Path(__file__).parents[2] / "docs" / "COMPLAINTS.md"
SUBJECTS = ("spiffs", "flash", "board")


def as_subject(image: bytes | bytearray | Subject) -> Subject:
    return image if isinstance(image, Subject) else Subject(bytes(image))


def examined(image: bytes | bytearray | Subject, depth: Cost = Cost.CONTENT) -> Examination:
    return examine_subject(as_subject(image), depth)


def diagnoses(image: bytes | bytearray | Subject) -> list[Finding]:
    return [*examined(image).findings]


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def subject(name: str) -> Subject:
    return as_subject(CASES[name].build())


@pytest.fixture(scope="module")
def full(subject: Subject) -> Examination:
    return examine_subject(subject)


def test_complaint(name: str, full: Examination) -> None:
    case = CASES[name]
    found = [each for each in full.findings if each.key == case.key]
    assert case.severity in [each.severity for each in found]
    for each in found:
        assert each.what[-1] != "." and "\n" not in each.what
        if each.is_problem:
            assert each.why or each.fix


def test_rules_report_only_the_kinds_that_they_declare(subject: Subject) -> None:
    checks = {"flash": subject, "board": subject}
    if subject.mounted:
        checks["spiffs"] = subject.spiffs
    for about, part in checks.items():
        for rule in rules(about):
            declared = {each.key for each in rule.kinds}
            assert {each.key for each in rule.run(part)} <= declared, rule.name


def test_shallow_examination_finds_a_part_of_the_full_one(
    subject: Subject, full: Examination
) -> None:
    shallow = examined(subject, Cost.METADATA)
    assert [each for each in full.findings if each in shallow.findings] == [*shallow.findings]
    assert len(shallow.not_checked) > len(full.not_checked)


def test_boot_prognosis_names_findings_that_are_there(
    name: str, subject: Subject, full: Examination
) -> None:
    if not subject.is_chip or subject.kboot is not None or name.startswith("dump-"):
        return
    keys = {each.key for each in full.findings}
    wrong = {step.key for step in subject.once(report_boot).steps if step.key}
    assert wrong <= keys | {"will-format"}
    assert not wrong or keys & {"wrong-geometry", *wrong}


def test_every_fix_of_a_case_is_a_valid_command(
    subject: Subject, full: Examination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = Path("image")
    image.mkdir() if subject.is_board else image.touch()
    steps = [step for each in full.findings for step in each.fix]
    for command in steps:
        assert command
        if isinstance(command, Command):
            check_command(command, image)


@pytest.mark.parametrize("about", SUBJECTS)
def test_every_key_has_a_case_that_produces_it(about: str) -> None:
    assert {each.key for each in kinds(about)} <= {case.key for case in CASES.values()}


def test_rule_modules_can_be_imported_and_have_rules() -> None:
    for subject in SUBJECTS:
        homes = {rule.run.__module__ for rule in rules(subject)}
        assert homes == set(RULE_MODULES[subject])


@pytest.mark.parametrize(
    "image",
    [flash(), loading(make_v3()), loading(make_v4(), firmware=V3_AND_V4)],
    ids=["plain", "v3", "v4"],
)
def test_sound_flash_has_no_problem(image: bytearray) -> None:
    examination = examined(image)
    assert examination.healthy and examination.not_checked == ()
    assert verdict(examination) == "Nothing is wrong."


def test_problems_come_first() -> None:
    found = [each.is_problem for each in diagnoses(CASES["gc-heap"].build())]
    assert found == sorted(found, reverse=True)


def test_verdict_names_what_was_not_checked() -> None:
    shallow = examined(flash(), Cost.METADATA)
    assert shallow.healthy and verdict(shallow) != verdict(examined(flash()))
    assert all(each.what in verdict(shallow) for each in shallow.not_checked)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("no-firmware", "This board does not start."),
        ("gc-heap", "This board hangs when it starts."),
        ("bad-hash", "Something is wrong: 1 problem."),
    ],
)
def test_verdict_depends_on_the_keys(case: str, sentence: str) -> None:
    assert verdict(examined(CASES[case].build())) == sentence


def test_file_that_is_not_mounted_is_not_called_sound() -> None:
    examination = examined(CASES["without-magics"].build())
    assert {each.what for each in examination.not_checked} >= {"readable files", "names"}


def test_path_and_subject_give_the_same_examination(tmp_path: Path) -> None:
    image = bytes(CASES["no-slash"].build())
    (tmp_path / "dump.bin").write_bytes(image)
    assert examine_target(tmp_path / "dump.bin") == examined(image)
    assert examine_target(str(tmp_path / "dump.bin"), Cost.METADATA) == examined(
        image, Cost.METADATA
    )


def test_boot_prognosis_knows_the_card() -> None:
    without = Subject(flash(), geometry=PRESETS["maixpy"], is_board=True)
    inserted = with_card(FakeCard("main.py"))
    assert report_boot(inserted).starts
    assert report_boot(inserted).steps != report_boot(without).steps


def test_table_of_complaints_names_cases_with_their_keys() -> None:
    rows = [line.split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    listed = {row[-1].strip(" |`"): row for row in rows if len(row) == 4 and "`test_" in row[-1]}
    cases = [test for test in listed if test.startswith("test_complaint[")]
    assert len(cases) > 30
    for test in cases:
        case = CASES[test.removeprefix("test_complaint[").removesuffix("]")]
        assert f"`{case.key}`" in listed[test][1], test


def test_virtual_board_needs_no_firmware() -> None:
    board = Subject(flash(b""), geometry=PRESETS["maixpy"], is_board=True)
    assert examined(board).healthy


def test_blank_board_is_no_problem() -> None:
    image = flash(b"")[:FLASH] + b"\xff" * 0x300000
    board = Subject(image, geometry=PRESETS["maixpy"], is_board=True)
    assert [(each.key, each.severity) for each in diagnoses(board)] == [("blank", NOTE)]


def test_image_of_one_file_system_needs_no_firmware() -> None:
    assert [each.key for each in diagnoses(CASES["other-firmware"].build())] == ["foreign"]
    assert diagnoses(area({"/main.py": b"x = 1"})) == []


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_damage_does_not_end_the_examination(data: st.DataObject) -> None:
    image = bytearray(CASES["v5-model"].build())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.sampled_from([0, 0x300000, 0xD00000, 0xD01000, 0xD20000, 0xD02000]))
        at += data.draw(st.integers(0, 600))
        junk = data.draw(st.binary(min_size=1, max_size=64))
        image[at : at + len(junk)] = junk
    assert isinstance(diagnoses(image), list)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(program=st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_any_bytes_may_be_a_program(program: bytes) -> None:
    image = pack([("/boot.py", program), ("/freq.conf", program)], PRESETS["maixpy"])
    assert isinstance(diagnoses(image), list)


@pytest.mark.parametrize("content", [b"", bytes(range(7, 200)) * 16], ids=["empty", "unknown"])
def test_unknown_file_is_not_called_sound(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    examination = examine_target(file)
    assert {each.what for each in examination.not_checked} >= {"the contents", "the file system"}
