"""Small programs that play MadGraph and Delphes: they read the real cards and leave real files.

Neither is installable here. The part of MadGraph makes its cards, reads them back and gives events
weights that follow from the values in param_card and reweight_card; nothing of its physics.
"""

import sys
import textwrap
from pathlib import Path

MADGRAPH = r"""
import gzip, re, sys
from pathlib import Path

script = Path(sys.argv[1]).read_text()
cards = Path("process/Cards")
if "output process" in script:
    assert "import model" in script and "generate" in script
    cards.mkdir(parents=True)
    run = "  10 = nevents ! Number\n  0 = iseed ! seed\n  1.0 = ptj\n"
    (cards / "run_card.dat").write_text(run)
    param = "BLOCK SMEFT #\n   7 9.0e-01 # chw\n   8 9.0e-01 # chb\n"
    (cards / "param_card.dat").write_text(param)
    print("made the process")
    sys.exit(0)


def value(text, number):
    return float(re.search(rf"(?im)^\s*{number}\s+(\S+)", text)[1])


def rate(a, b, x):  # positive and quadratic
    return (1 + a * x) ** 2 + (b - 0.3 * a) ** 2


run = (cards / "run_card.dat").read_text()
n_events = int(re.search(r"(\d+) = nevents", run)[1])
seed = int(re.search(r"(\d+) = iseed", run)[1])
print("ptj", re.search(r"(\S+) = ptj", run)[1])
param = (cards / "param_card.dat").read_text()
origin = value(param, 7), value(param, 8)
points = [
    (name, [float(one) for one in re.findall(r"set param_card \S+ \d+ (\S+)", block)])
    for name, block in re.findall(
        r"--rwgt_name=(\S+)\n((?:  set .*\n)+)", (cards / "reweight_card.dat").read_text()
    )
]
if MODE != "no reweighting":
    head = "".join(f"<weight id='{name}'>\n</weight>\n" for name, _ in points)
    head = f"<initrwgt><weightgroup name='mg_reweighting'>\n{head}</weightgroup></initrwgt>"
else:
    head, points = "", []
events = []
for index in range(n_events):
    x = 0.5 * ((index * 7 + seed) % n_events) / n_events
    weights = "".join(
        f"<wgt id='{name}'> {2.0 * rate(*point, x) / rate(*origin, x):.10e} </wgt>\n"
        for name, point in points
    )
    pt = 20 + 100 * x
    lines = ["4 1 2.0 91.0 0.0078 0.118"]
    incoming = ((2, -1, 0, 50), (-2, -1, 0, -50))
    for pdg, status, px, pz in (*incoming, (11, 1, pt, 10), (-11, 1, -pt, -10)):
        energy = (px * px + pz * pz) ** 0.5
        lines.append(f"{pdg} {status} 0 0 0 0 {px} 0 {pz} {energy} 0 0 9")
    events.append("<event>\n" + "\n".join(lines) + f"\n<rwgt>\n{weights}</rwgt>\n</event>")
text = (
    '<LesHouchesEvents version="3.0">\n<header>\n' + head + "\n</header>\n<init>\n"
    "2212 2212 6500 6500 0 0 0 0 -4 1\n1.5 0.01 2.0 1\n</init>\n" + "\n".join(events)
    + "\n</LesHouchesEvents>\n"
)
folder = Path("process/Events/run_01")
folder.mkdir(parents=True)
if MODE == "fails":
    print("Error detected in launch")
    sys.exit(3)
if MODE == "nothing":
    sys.exit(0)
with gzip.open(folder / "unweighted_events.lhe.gz", "wt") as file:
    file.write(text)
if "shower=PYTHIA8" in script:
    tag = re.search(r"(\S+) = run_tag", run)
    name = f"{tag[1] if tag else 'tag_1'}_pythia8_events.hepmc.gz"
    with gzip.open(folder / name, "wt") as file:
        file.write(f"\nHepMC::Version 2.06.09\nHepMC::IO_GenEvent-START_EVENT_LISTING\n{n_events}")
"""

DELPHES = r"""
import shutil, sys
from pathlib import Path

card, output, events = map(Path, sys.argv[1:])
assert card.read_text() == "set ExecutionPath {}"
print("events", events.read_text().strip())
if MODE == "fails":
    print("** ERROR: cannot read")
    sys.exit(1)
if MODE != "nothing":
    shutil.copy(card.with_name("prepared.root"), output)
"""


def program(path: Path, source: str, mode: str = "") -> Path:
    """Write an executable."""
    text = f"#!{sys.executable}\nMODE = {mode!r}\n{textwrap.dedent(source)}"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path
