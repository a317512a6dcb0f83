"""`carm bench`: suites of measurements, each in a module of its own."""

from __future__ import annotations

from importlib import import_module

from carm_env.errors import CarmError

SUITES = {"renderers": "bench_renderers", **dict.fromkeys(("core", "smoke", "perception_errors"), "bench_core")}

HELP = """\
carm bench suite=core|smoke|perception_errors|renderers [KEY=VALUE ...]      carm bench report DIR [--out page.html]

  core               every policy with every perception over unseen patients, the same episodes for all: success, dose
                     and time with intervals, kinds of failure, differences, a page
  smoke              the same with two policies over two patients, in less than a minute
  perception_errors  how success and dose suffer from injected errors of growing size
  renderers          every renderer against each other and a float64 reference
  report DIR         the page of a finished suite again

`carm bench suite=NAME --help` tells more.
"""


def main(argv: list[str]) -> int:
    if argv[:1] == ["report"]:
        from carm_env.cli import bench_report

        return bench_report.main(argv[1:])
    named = [word.partition("=")[2] for word in argv if word.startswith("suite=")]
    suite = named[-1] if named else "renderers"
    if not named and ("-h" in argv or "--help" in argv):
        print(HELP)
        return 0
    if suite not in SUITES:
        raise CarmError(f"suite={suite} is unknown; suites: {', '.join(SUITES)}")
    return int(import_module(f"carm_env.cli.{SUITES[suite]}").main(argv))
