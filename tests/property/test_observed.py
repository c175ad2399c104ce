"""What holds of everything that a node says of itself, whatever it says."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orch.controllers.doctor import diagnose
from orch.controllers.finding import Finding
from orch.model.checkup import Checkup
from orch.observe.doctor import parse_checkup
from orch.observe.figures import CpuTime, cpu_between
from orch.observe.watch import Frame, parse_frame
from tests.property.mutations import mutated
from tests.unit import checkups
from tests.unit.test_watch import LINE

thoroughly = settings(max_examples=500, deadline=None)
LIMITED = LINE.replace("memory_max max", "memory_max 1073741824").replace("memory_current ", "memory_current 734003200")
TICKS = LINE.replace("usec 7000000", "stat cpu  1000 10 500 80000 300 5 15 20 99 99")

cpu_times = st.builds(
    CpuTime, st.decimals(0, 10**15, places=2).map(float), st.floats(-1e19, 1e19, allow_nan=False)
)  # fmt: skip


@thoroughly
@given(st.text() | mutated(LINE, LIMITED, TICKS))
@example(LIMITED)
def test_any_line_is_a_frame_or_a_value_error(line: str) -> None:
    with suppress(ValueError):
        frame = parse_frame(line, 1.7e9)
        assert msgspec.json.decode(msgspec.json.encode(frame), type=Frame) == frame


@thoroughly
@given(cpu_times, cpu_times)
def test_the_use_of_cpu_is_a_count_or_not_known(before: CpuTime, after: CpuTime) -> None:
    used = cpu_between(before, after)

    assert (used is None) == (after.uptime <= before.uptime)
    assert used is None or 0 <= used < 1 << 64


examinations = [value for name, value in vars(checkups).items() if name.isupper()]


@thoroughly
@given(st.text() | mutated(*examinations))
@example(checkups.HEALTHY)
def test_any_text_is_an_examination_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        found = parse_checkup(text, 1.7e9, 1.7e9 + 1)
        assert msgspec.json.decode(msgspec.json.encode(found), type=Checkup) == found


@thoroughly
@given(st.lists(mutated(*examinations), min_size=1, max_size=4))
@example(examinations)
@example([checkups.HEALTHY, checkups.HEALTHY])
def test_whatever_was_found_every_finding_names_its_host_and_says_something(texts: list[str]) -> None:
    examined: dict[str, Checkup] = {}
    for number, text in enumerate(texts):
        with suppress(ValueError):
            examined[f"w{number}"] = parse_checkup(text, 1.7e9, 1.7e9)
    findings = diagnose(examined)

    assert msgspec.json.decode(msgspec.json.encode(findings), type=list[Finding]) == findings
    for finding in findings:
        assert finding.host in examined
        assert finding.message
        assert finding.remedy
