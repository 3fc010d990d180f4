"""The Grafana dashboard and the alert rules: they ask for what the exporter serves, and do what they say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_fixture import needs_prometheus

from footprint.export.metrics import FAMILIES

ROOT = Path(__file__).parent.parent
DASHBOARD = json.loads((ROOT / "examples/grafana.json").read_text(encoding="utf-8"))
ALERTS = ROOT / "examples/alerts.yml"
SERVED = {family.sample: family for family in FAMILIES}
UNITS = {
    "_watts": "watt",
    "_joules": "joule",
    "_joules_total": "joule",
    "_grams_total": "massg",
    "_usd_total": "currencyUSD",
}
KINDS = {"row", "stat", "timeseries", "bargauge"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Those of panels, as Grafana fills them in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [re.sub(r"\$(run|project|host)\b", ".*", text).replace("$__rate_interval", "2m") for text in found]


def alerts() -> list[dict[str, Any]]:
    told = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def asked_for(text: str) -> set[str]:
    return set(re.findall(r"\bfootprint_[a-z0-9_]+", text))


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert (DASHBOARD["title"], DASHBOARD["uid"], DASHBOARD["id"]) == ("footprint: live runs", "footprint-live", None)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert {panel["type"] for panel in DASHBOARD["panels"]} == KINDS
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= own
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])


def test_each_panel_has_the_unit_of_what_it_asks_for() -> None:
    for panel in panels():
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit, panel["title"]
        for target in panel["targets"]:
            if "/" in target["expr"] or "rate(" in target["expr"]:
                continue
            for name in asked_for(target["expr"]) - {"footprint_run_active"}:
                expected = next((UNITS[end] for end in UNITS if name.endswith(end)), unit)
                assert unit == expected, (panel["title"], name)


def test_run_project_and_host_can_be_chosen_and_each_query_heeds_them() -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert set(variables) == {"datasource", "project", "run", "host"}
    for name in ("project", "run", "host"):
        assert variables[name]["includeAll"]
        (label,) = re.findall(r", (\w+)\)$", variables[name]["query"]["query"])
        (metric,) = asked_for(variables[name]["query"]["query"])
        assert label in SERVED[metric].labels
    for panel in panels():
        for target in panel["targets"]:
            assert '{run=~"$run",project=~"$project"' in target["expr"], panel["title"]


def test_dashboard_and_alerts_ask_for_served_metrics_by_their_labels_alone() -> None:
    for text in (*queries(), *(rule["expr"] for rule in alerts())):
        assert asked_for(text) <= set(SERVED)
        for name, matchers in re.findall(r"\b(footprint_\w+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)=~?\"", matchers)) <= set(SERVED[name].labels), text
    for rule in alerts():
        names = asked_for(rule["expr"])
        labels = {label for name in names for label in SERVED[name].labels} | {"instance"}
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert used <= labels, rule["alert"]


@needs_prometheus
def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(queries())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}), "utf-8")
    checked = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_prometheus
@pytest.mark.parametrize(
    ("kind", "file"), [("check", ALERTS), ("test", ROOT / "tests/alerts_test.yml")], ids=["valid", "fire"]
)
def test_the_alert_rules_are_valid_and_fire_where_they_should(kind: str, file: Path) -> None:
    done = subprocess.run(["promtool", kind, "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested() -> None:
    tested = set(re.findall(r"alertname: (\w+)", (ROOT / "tests/alerts_test.yml").read_text(encoding="utf-8")))
    assert tested == {rule["alert"] for rule in alerts()}


def test_the_table_in_the_methodology_names_what_is_served() -> None:
    text = (ROOT / "METHODOLOGY.md").read_text(encoding="utf-8")
    section = text.partition("### Live metrics\n")[2].partition("\n### ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `footprint_")]
    assert set(re.findall(r"`(footprint_\w+)`", " ".join(rows))) == set(SERVED)
