"""Writes docs/doctor.md: what each rule of `litmus.doctor` looks for, where it is from, and what it explains."""

from pathlib import Path

from litmus.doctor.diagnose import rules

PAGE = Path(__file__).with_name("doctor.md")
HEAD = """# The doctor

Every run is examined: eight steps of each epoch (`callback.doctor.probes`) measure gradients, updates and activations
of the layers, and every validation says which class is predicted most and which labels look wrong. When the run ends,
the rules below look at that, at the metrics and at the data. What they find is on the screen (the three gravest), in
`result.json` (`findings`), on the run's page and in TensorBoard. `litmus doctor RUN` says all of it again, and
`litmus doctor RUN --try` trains each proposal on three seeds beside the run's own setting, at most a minute a run, and
says which helps. `callback.doctor=null` leaves the measuring out; rules that need it are silent then.

A finding is `severe` where the result is of no use, a `warning` where it could be clearly better, and `info` where it
should be read with care. One cause is one finding: what a rule explains is not named beside it.

A rule is a file in `src/litmus/doctor/rules/`; a new one is found by its name.

| finding | fires when | explains | source |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = []
    for name, rule in rules().items():
        when = " ".join((type(rule).__doc__ or "").split())
        explains = ", ".join(f"`{other}`" for other in sorted(rule.explains))
        rows.append(f"| `{name}`: {rule.title} | {when} | {explains} | {rule.source} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
