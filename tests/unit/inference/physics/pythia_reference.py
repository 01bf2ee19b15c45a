"""Events of the hard process by pythia8mc itself, to compare with."""

import numpy as np


def hard_events(n, mass_min, seed):
    """Cross-section [pb] and mass, rapidity, cosine with the boost, shape (n, 3)."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for setting in (
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {seed}",
        "Beams:eCM = 13000.",
        "WeakSingleBoson:ffbar2gmZ = on",
        "23:onMode = off",
        "23:onIfAny = 13",
        f"PhaseSpace:mHatMin = {mass_min}",
        "PartonLevel:all = off",
    ):
        pythia.readString(setting)
    pythia.init()
    x = np.empty((n, 3))
    for row in x:
        while not pythia.next():
            pass
        for particle in pythia.process:
            if particle.id() == 13:
                minus = particle.p()
            elif particle.id() == -13:
                plus = particle.p()
        # E +- pz of both: the Collins-Soper angle of a pair without transverse momentum
        up, down = minus.e() + minus.pz(), plus.e() + plus.pz()
        up2, down2 = minus.e() - minus.pz(), plus.e() - plus.pz()
        total = minus + plus
        cosine = (up * down2 - up2 * down) / total.m2Calc()
        row[:] = total.mCalc(), total.rap(), cosine * np.sign(total.pz())
    return pythia.infoPython().sigmaGen() * 1e9, x
