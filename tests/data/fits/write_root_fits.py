"""Writes the ROOT files and the TRExFitter text of this folder: the two analyses of two_channels.py, in RooFit.

It was run once with ROOT 6.40 from its wheel (pip install ROOT, python write_root_fits.py tests/data/fits) and is no test.
Files are laid out as those of CMS Combine: ``fit_s``, and ``nuisances_prefit`` with centres and widths of the constraints.
"""

import sys
from pathlib import Path

import ROOT

sys.path.insert(0, str(Path(__file__).parents[2] / "formats" / "fits"))

from two_channels import CHANNELS, LUMINOSITY, STATISTICS


def build(names):
    """Workspace with the likelihood of some channels."""
    w = ROOT.RooWorkspace("w")
    w.factory("r[1,0,5]")
    terms, observables = [], []

    def nuisance(name):
        if not w.var(name):
            w.factory(f"Gaussian::constraint_{name}({name}[0,-7,7],global_{name}[0],1)")
            w.var(f"global_{name}").setConstant(True)
            terms.append(f"constraint_{name}")

    for name in names:
        channel = CHANNELS[name]
        for common in ("jes", "lumi", f"bkg_{name}"):
            nuisance(common)
        for i, count in enumerate(channel["data"]):
            own = f"prop_bin_{name}_{i}"
            nuisance(own)
            signal, background = channel["signal"][i], channel["background"][i]
            formula = (
                f"r*{signal}*pow({1 + LUMINOSITY},lumi)*(1+{channel['jes_signal'][i]}*jes)"
                f"+{background}*pow({1 + channel['own']},bkg_{name})*(1+{channel['jes_background'][i]}*jes)"
                f"*(1+{STATISTICS}*{own})"
            )
            w.factory(f"expr::nu_{name}_{i}('{formula}',r,lumi,jes,bkg_{name},{own})")
            w.factory(f"Poisson::count_{name}_{i}(n_{name}_{i}[{count},0,1e6],nu_{name}_{i})")
            terms.append(f"count_{name}_{i}")
            observables.append(f"n_{name}_{i}")
    w.factory(f"PROD::likelihood({','.join(terms)})")
    return w, observables


def fit(names):
    w, observables = build(names)
    variables = ROOT.RooArgSet()
    for name in observables:
        variables.add(w.var(name))
    data = ROOT.RooDataSet("data", "data", variables)
    data.add(variables)
    constrained = ROOT.RooArgSet()
    for v in w.allVars():
        if not v.isConstant() and v.GetName() not in (*observables, "r"):
            constrained.add(v)
    prefit = ROOT.RooArgSet("nuisances_prefit")
    for v in constrained:
        v.setError(1.0)
        prefit.addClone(v)
    likelihood = w["likelihood"].createNLL(data, ROOT.RooFit.Constrain(constrained), ROOT.RooFit.EvalBackend("cpu"))
    minimizer = ROOT.RooMinimizer(likelihood)
    minimizer.setPrintLevel(-1)
    minimizer.setStrategy(2)
    minimizer.setEps(1e-3)
    minimizer.minimize("Minuit2")
    minimizer.hesse()
    result = minimizer.save("fit_s")
    return result, prefit


def write_root(folder, name, result, prefit):
    file = ROOT.TFile(str(folder / f"{name}.root"), "RECREATE")
    result.SetName("fit_s")
    result.Write("fit_s")
    prefit.Write("nuisances_prefit")
    file.Close()


def write_text(folder, name, result):
    """As FittingTool::ExportFitResultInTextFile of TRExFitter writes it, with the matrix of correlationHist."""
    lines = ["NUISANCE_PARAMETERS"]
    for v in result.floatParsFinal():
        lines.append(f"{v.GetName()}  {v.getVal():.6g} +{abs(v.getError()):.6g} -{abs(v.getError()):.6g}")
    histogram = result.correlationHist()
    size = histogram.GetNbinsX()
    lines += ["", "", "CORRELATION_MATRIX", f"{size}   {size}"]
    for i in range(1, size + 1):
        lines.append("   ".join(f"{histogram.GetBinContent(i, j):.6g}" for j in range(1, size + 1)))
    lines += ["", "", "NLL", f"{result.minNll():.6g}", ""]
    (folder / f"{name}.txt").write_text("\n".join(lines))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    ROOT.RooMsgService.instance().setGlobalKillBelow(ROOT.RooFit.ERROR)
    for name, names in {"north": ["north"], "south": ["south"], "joint": ["north", "south"]}.items():
        result, prefit = fit(names)
        result.Print()
        write_root(folder, name, result, prefit)
        write_text(folder, name, result)
