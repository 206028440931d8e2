"""Published combinations as their authors would type them: tables as published, one number where one number is meant.

All figures are those of the publications named; the tables of uncertainties are in their own units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import bayescomb as bc

MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A combination: its model and table, and what was published of the result.

    Attributes:
        source: where it was published.
        model: text of the model file.
        tables: name -> text of the other files.
        values: result -> value, as published.
        errors: result -> total error, as published.
        last: result -> a unit of the last digit of value and error.
        chi2: chi2 and degrees of freedom, where published; with a unit of the last digit of chi2.
        before: lines that this model took without the short forms, where it was written so.
    """

    source: str
    model: str
    tables: dict[str, str] = field(default_factory=dict)
    values: dict[str, float]
    errors: dict[str, float]
    last: dict[str, float]
    chi2: tuple[float, int, float] | None = None
    before: int | None = None

    def written(self, folder: Path) -> Path:
        """The model in a folder."""
        for name, text in (("model.toml", self.model), *self.tables.items()):
            (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
        return folder

    def load(self, folder: Path) -> bc.Combination:
        return bc.load(self.written(folder))

    @property
    def lines(self) -> int:
        """What had to be written: lines of the model file and its tables."""
        return sum(text.strip("\n").count("\n") + 1 for text in (self.model, *self.tables.values()))


def sources(names: str) -> str:
    """The line of a model file that declares sources."""
    return "sources = [" + ", ".join(f'{{ name = "{name}" }}' for name in names.split(",")) + "]"


HEAD = 'format = 1\nname = "{name}"\ntreatment = "covariance"\nobservables = [{{ name = "{result}", unit = "{unit}" }}]\n'
TEVATRON = "iJES,aJES,bJES,cJES,dJES,rJES,Lept,Sign,DTMO,UN/MI,BGMC,BGDT,Meth,MHI"
TEVATRON_2014 = "iJES,aJES,bJES,cJES,rJES,dJES,Lept,Sign,DTMO,btag,BGMC,BGDT,Meth,UN/MI,MHI"
LHC_MASS = "JSF,uJES,insituJES,intercalibJES,flavourJES,bJES,MC,Rad,CR,UE,PDF,Jet,btag,lepton,MCBkg,DataBkg,Method,MPI"
CHARGE_7 = "StatSim,DetMod,PU,SigMod,PDF,Multijet,Wjets,GenMod"
CHARGE_8 = (
    "StatSim,Leptons,JER,btagging,MET,PU,uJES,pJES,mJES,cJES,EvGen,Hadronisation,Scale,PDF,Lumi,EWBkg,Multijet,Wjets,Method"
)
TTBAR = "Trig,LepS,LepI,JetR,JetI,btag,Pile,JESu,JESi,JESc,JESf,JESb,Scale,Rad,MC+PS,PDF,Z+j,LepM,DiBos,STop,Vdm,Lumi"
SINGLE = '[[assumption_sets]]\nname = "nominal"\n'

# W helicity in top-quark decays, JHEP 08 (2020) 051, tables 2 to 6, in the order ATLAS, CMS e+jets, mu+jets, single top:
# errors of F_0, of F_L, correlations of F_0 and F_L in each, and those between ATLAS and CMS, e and mu+jets, these and
# single top.  What is quoted as below 0.001 is 0; one source is nowhere above.  As tomneep/blue has them
# (JHEP_08_2020_51.csv).
HELICITY = """
statbkg  .012 .028 .016 .041  .008 .011 .010 .031  -1    -.87 -.88 -.90  0  0 0
samples  .009 .002 .002 .020  .006 .001 .001 .012  -1    -.95 -.96 -.96  0  0 0
JES      .005 .004 .005 .004  .003 .003 .003 .004  -.94  -1   -1   -1    .2 1 1
JER      .006 .001 .004 .001  .003 .002 .003 .001  -.92  -1   -1   -1    0  1 1
JVF      .003 0    0    0     .002 0    0    0     -.99  0    0    0     0  0 0
leptons  .004 .001 .001 0     .002 .002 .001 0     -.99  -1   -1   -1    0  0 0
btagging .002 .001 .001 .006  .001 0    0    .006  -.84  -1   -1   -1    0  1 1
pileup   0    .001 0    .003  0    .001 0    .003  0     -1   -1   -1    0  1 1
mass     .002 .012 .009 .005  .007 .008 .006 .007  -1    -.99 -1   -1    1  1 1
model    .003 .015 .008 .002  .004 .010 .004 .003  .99   -.87 .2   -1    1  1 1
scales   .003 .007 .014 .023  .006 .005 .006 .019  -.91  -1   -.83 -1    .5 1 1
toppt    0    .011 0    0     0    .010 .001 0     0     -1   -1   0     0  1 0
PDF      .003 .004 .002 .004  .004 .001 .001 .004  -1    -.92 -.15 -.97  1  1 1
method   0    0    0    .012  0    0    0    .015  0     0    0    -1    0  0 0
"""


def helicity_table() -> str:
    """The same as a table of averagetools: F_0 and F_L of two inputs are correlated by minus what F_0 and F_0 are."""
    errors, correlations = [], []
    for line in HELICITY.split("\n")[1:-1]:
        name, *words = line.split()
        within, (lhc, jets, single) = [float(w) for w in words[8:12]], [float(w) for w in words[12:]]
        between = [[1, lhc, lhc, lhc], [lhc, 1, jets, single], [lhc, jets, 1, single], [lhc, single, single, 1]]
        across = [[within[i] if i == j else -between[i][j] for j in range(4)] for i in range(4)]
        rows = [b + a for b, a in zip(between, across, strict=True)] + [a + b for b, a in zip(between, across, strict=True)]
        errors.append(f"{name} = {' '.join(words[:8])} c")
        correlations.append(f"{name} = {' '.join(f'{r:g}' for row in rows for r in row)}")
    names = [f"{channel}_{fraction}" for fraction in ("F0", "FL") for channel in ("ATLAS", "ejets", "mujets", "single")]
    head = [
        f"names = {' '.join(names)}",
        "values = .709 .705 .685 .720 .299 .304 .328 .298",
        f"groups = {'F_0 ' * 4}{'F_L ' * 4}",
    ]
    return "\n".join(["[Data]", *head, *errors, "[Covariances]", *correlations])


# Correlations of the Tevatron's scales of the jet energy and of the leptons.
TEVATRON_SCALES = """\
  { name = "iJES", pairs = [["iJES[DII l+j]", "iJES[DII dil]"]], nominal = 1 },
  { name = "aJES", pairs = [["aJES[CI *]", "aJES[CI *]"], ["aJES[CII *]", "aJES[CII *]"], ["aJES[DI *]", "aJES[DI *]"],
    ["aJES[DII *]", "aJES[DII *]"]], nominal = 1 },
  { name = "dJES", pairs = [["dJES[CI *]", "dJES[CI *]"], ["dJES[CII *]", "dJES[CII *]"], ["dJES[DI *]", "dJES[DI *]"],
    ["dJES[DII *]", "dJES[DII *]"]], nominal = 1 },
  { name = "Lept", pairs = [["Lept[CII *]", "Lept[CII *]"], ["Lept[DII *]", "Lept[DII *]"]], nominal = 1 },
"""


def tevatron(names: str, first: str, more: str = "") -> str:
    """A model of the Tevatron's mass: lines of coefficients that this combination has of its own, around the common ones."""
    return (
        HEAD.format(name="tevatron", result="m_t", unit="GeV")
        + sources(names)
        + """
[budget]
table = "tevatron.csv"
columns = { estimate = "Name", value = "Result", stat = "Stat" }
experiments = { "C*" = "CDF", "D*" = "D0" }

[within]
DTMO = 1
rJES = 1
"UN/MI" = 1
"*" = 0

[[assumption_sets]]
name = "nominal"
everywhere = { bJES = 1, cJES = 1, Sign = 1 }
coefficients = [
"""
        + first
        + TEVATRON_SCALES
        + more
        + """\
  { name = "MHI", pairs = [["MHI[CII *]", "MHI[CII *]"], ["MHI[DII *]", "MHI[DII *]"]], nominal = 1 },
]
"""
    )


PUBLISHED = {
    "Tevatron m_t 2013": Published(
        source="CDF and D0, arXiv:1305.3929, tables 1 to 3",
        before=249,  # of its successor of 2016, which has as many inputs and sources
        model=tevatron(
            TEVATRON,
            """  { name = "BGMC", pairs = [["BGMC[* l+j]", "BGMC[* l+j]"], ["BGMC[* dil]", "BGMC[* dil]"],
    ["BGMC[* had]", "BGMC[* had]"]], nominal = 1 },
""",
        ),
        tables={
            "tevatron.csv": f"""
Name,Result,Stat,{TEVATRON}
CI l+j,176.1,5.1,0.0,0.0,0.6,2.7,0.7,3.4,0.0,2.6,0.0,0.0,1.3,0.0,0.0,0.0
CI dil,167.4,10.3,0.0,0.0,0.8,2.6,0.6,2.7,0.0,2.9,0.0,0.0,0.3,0.0,0.7,0.0
CI had,186.0,10.0,0.0,0.0,0.6,3.0,0.3,4.0,0.0,2.0,0.0,0.0,1.7,0.0,0.6,0.0
DI l+j,180.1,3.6,0.0,0.0,0.7,2.0,2.5,0.0,0.0,1.1,0.0,1.3,1.0,0.0,0.6,0.0
DI dil,168.4,12.3,0.0,0.0,0.7,2.0,1.1,0.0,0.0,1.8,0.0,1.3,1.1,0.0,1.1,0.0
CII l+j,172.85,0.52,0.49,0.09,0.16,0.21,0.07,0.48,0.03,0.61,0.0,0.00,0.12,0.16,0.00,0.07
CII dil,170.28,1.95,0.00,0.14,0.33,2.13,0.58,2.01,0.27,0.73,0.0,0.00,0.24,0.14,0.12,0.23
CII had,172.47,1.43,0.95,0.03,0.15,0.24,0.04,0.38,0.00,0.62,0.0,0.00,0.00,0.56,0.38,0.08
CII Lxy,166.90,9.00,0.00,0.00,0.00,0.36,0.06,0.24,0.00,0.90,0.0,0.00,0.80,0.20,2.50,0.00
DII l+j,174.94,0.83,0.53,0.0,0.07,0.0,0.63,0.00,0.17,0.77,0.36,0.00,0.18,0.23,0.16,0.05
DII dil,174.00,2.36,0.55,0.40,0.20,0.0,0.56,0.0,0.35,0.86,0.50,0.0,0.0,0.20,0.51,0.00
CII Met,173.95,1.26,1.05,0.10,0.17,0.18,0.04,0.40,0.00,0.64,0.0,0.00,0.00,0.12,0.31,0.18
"""
        },
        values={"m_t": 173.20},
        errors={"m_t": 0.87},
        last={"m_t": 0.01},
        chi2=(8.5, 11, 0.1),
    ),
    "Tevatron m_t 2014": Published(
        # Inputs and correlations as R. Nisius's BLUE 2.2.0 has them, B_arXiv_1407_2682.cxx.  Those of the last one,
        # arXiv:1608.01881 (174.30 +- 0.65), are of the same form, with other numbers for some.
        source="CDF and D0, arXiv:1407.2682",
        model=tevatron(
            TEVATRON_2014,
            """  { name = "BGMC", pairs = [["BGMC[* l+j]", "BGMC[* l+j]"], ["BGMC[* l+j]", "BGMC[CII Lxy]"],
    ["BGMC[* dil]", "BGMC[* dil]"], ["BGMC[* had]", "BGMC[* had]"]], nominal = 1 },
  { name = "BGDT", pairs = [["BGDT[CII l+j]", "BGDT[CII Lxy]"]], nominal = 1 },
""",
            """  { name = "btag", pairs = [["btag[CI *]", "btag[CI *]"], ["btag[CII *]", "btag[CII *]"],
    ["btag[DII *]", "btag[DII *]"]], nominal = 1 },
""",
        ),
        tables={
            "tevatron.csv": f"""
Name,Result,Stat,{TEVATRON_2014}
CI l+j,176.10,5.10,0.00,0.00,0.60,2.70,3.40,0.70,0.00,2.60,0.00,0.40,1.30,0.00,0.00,0.00,0.00
CI dil,167.40,10.30,0.00,0.00,0.80,2.60,2.70,0.60,0.00,2.90,0.00,0.00,0.30,0.00,0.70,0.00,0.00
CI had,186.00,10.00,0.00,0.00,0.60,3.00,4.00,0.30,0.00,2.00,0.00,0.00,0.00,1.70,0.60,0.00,0.00
DI l+j,180.10,3.60,0.00,0.00,0.70,2.00,0.00,2.50,0.00,1.10,0.00,0.00,1.00,0.00,0.60,1.30,0.00
DI dil,168.40,12.30,0.00,0.00,0.70,2.00,0.00,1.10,0.00,1.80,0.00,0.00,1.10,0.00,1.10,1.30,0.00
CII l+j,172.85,0.52,0.49,0.09,0.16,0.21,0.48,0.07,0.03,0.61,0.00,0.03,0.12,0.16,0.05,0.00,0.07
CII Lxy,166.90,9.00,0.00,0.00,0.00,0.36,0.24,0.06,0.00,0.90,0.00,0.00,0.80,0.20,2.50,0.00,0.00
CII Met,173.93,1.26,1.05,0.10,0.17,0.18,0.40,0.04,0.00,0.63,0.00,0.03,0.00,0.15,0.21,0.00,0.18
DII l+j,174.98,0.41,0.41,0.16,0.09,0.00,0.00,0.21,0.01,0.35,0.07,0.10,0.06,0.09,0.07,0.00,0.06
DII dil,174.00,2.36,0.55,0.40,0.20,0.00,0.00,0.56,0.35,0.86,0.50,0.00,0.00,0.20,0.51,0.00,0.00
CII dil,170.80,1.83,0.00,0.18,0.28,1.65,1.72,0.46,0.36,0.96,0.00,0.05,0.30,0.33,0.19,0.00,0.30
CII had,175.07,1.19,0.97,0.02,0.20,0.37,0.42,0.09,0.00,0.53,0.00,0.04,0.00,0.15,0.87,0.00,0.22
"""
        },
        values={"m_t": 174.34},
        errors={"m_t": 0.64},
        last={"m_t": 0.01},
    ),
    "W helicity": Published(
        source="ATLAS and CMS, JHEP 08 (2020) 051",
        model='format = 1\nname = "helicity"\ntreatment = "covariance"\nobservables = [{ name = "F_0" }, { name = "F_L" }]\n'
        'averagetools = { table = "helicity.txt" }\n' + SINGLE,
        tables={"helicity.txt": helicity_table()},
        values={"F_0": 0.693, "F_L": 0.315},
        errors={"F_0": 0.014, "F_L": 0.011},
        last={"F_0": 0.001, "F_L": 0.001},
    ),
    "LHC m_t 2013": Published(
        source="ATLAS-CONF-2013-102, CMS PAS TOP-13-005, tables 1 and 2",
        model=HEAD.format(name="lhc_mass", result="m_t", unit="GeV")
        + sources(LHC_MASS)
        + """
[budget]
table = "lhc.csv"
experiments = { "ATLAS*" = "ATLAS", "CMS*" = "CMS" }

[within]
JSF = 0
DataBkg = 0
Method = 0
"*" = 1

[[assumption_sets]]
name = "nominal"
across = { intercalibJES = 0.5, bJES = 0.5, MC = 1, Rad = 1, CR = 1, UE = 1, PDF = 1, btag = 0.5, MCBkg = 1, MPI = 1 }
""",
        tables={
            "lhc.csv": f"""
estimate,value,{LHC_MASS},stat
ATLAS l+jets,172.31,0.72,0.61,0.29,0.19,0.36,0.08,0.33,0.45,0.32,0.12,0.17,0.23,0.81,0.04,0,0.10,0.13,0.03,0.23
ATLAS dilepton,173.09,0,0.73,0.31,0.39,0.02,0.71,0.48,0.37,0.29,0.42,0.12,0.22,0.46,0.12,0.14,0,0.07,0.01,0.64
CMS l+jets,173.49,0.33,0.24,0.02,0.01,0.11,0.61,0.02,0.30,0.54,0.15,0.07,0.24,0.12,0.02,0.13,0,0.06,0.07,0.27
CMS dilepton,172.50,0,0.69,0.35,0.08,0.58,0.76,0.04,0.58,0.13,0.05,0.09,0.18,0.09,0.14,0.05,0,0.40,0.11,0.43
CMS all-jets,173.49,0,0.69,0.35,0.08,0.58,0.49,0.19,0.33,0.15,0.20,0.06,0.28,0.06,0,0,0.13,0.13,0.06,0.69
"""
        },
        values={"m_t": 173.29},
        errors={"m_t": 0.95},
        last={"m_t": 0.01},
        chi2=(1.8, 4, 0.1),
    ),
    "charge asymmetry 7 TeV": Published(
        source="ATLAS and CMS, JHEP 04 (2018) 033, table 2",
        model=HEAD.format(name="charge7", result="A_C", unit="")
        + sources(CHARGE_7)
        + '\n[budget]\ntable = "charge7.csv"\nexperiments = { "*" = "one each" }\nignore = ["Corr"]\n\n'
        + SINGLE
        + 'everywhere = { SigMod = 0.5, PDF = 1, Wjets = 0.5, "*" = 0 }\n',
        tables={
            "charge7.csv": f"""
estimate,value,stat,{CHARGE_7}
ATLAS,0.006,0.010,0.002,0.004,0.002,0,0.001,0,0.002,0
CMS,0.004,0.010,0.002,0.007,0,0.002,0.002,0.001,0.004,0.007
Corr,,,0,0,0,0.5,1,0,0.5,0
"""
        },
        values={"A_C": 0.005},
        errors={"A_C": 0.009},
        last={"A_C": 0.001},
    ),
    "charge asymmetry 8 TeV": Published(
        source="ATLAS and CMS, JHEP 04 (2018) 033, table 3",
        model=HEAD.format(name="charge8", result="A_C", unit="")
        + sources(CHARGE_8)
        + '\n[budget]\ntable = "charge8.csv"\nexperiments = { ATLAS = "ATLAS", CMS = "CMS" }\n\n'
        + SINGLE
        + "across = { pJES = 0.5, mJES = 1, cJES = 1, EvGen = 1, Scale = 1, PDF = 1, EWBkg = 1 }\n",
        tables={
            "charge8.csv": f"""
estimate,value,stat,{CHARGE_8}
ATLAS,90,44,10,3,5,4,2,0,10,9,2,9,4,4,9,7,0,1,5,0,3
CMS,33,26,15,1,4,7,0,3,4,10,4,8,2,0,14,2,1,4,18,2,0
"""
        },
        values={"A_C": 55},  # in units of 0.0001
        errors={"A_C": 34},
        last={"A_C": 1},
    ),
    "ttbar cross section 8 TeV": Published(
        source="ATLAS-CONF-2014-054, CMS PAS TOP-14-016, table 1",
        model=HEAD.format(name="ttbar", result="sigma", unit="pb")
        + sources(TTBAR)
        + '\n[budget]\ntable = "ttbar.csv"\nrows = "sources"\nexperiments = { ATLAS = "ATLAS", CMS = "CMS" }\n'
        + 'columns = { value = "Cross section", stat = "Stat" }\nignore = ["Correlation"]\n\n'
        + SINGLE
        + 'across = { JESc = 0.5, JESf = 1, Scale = 0.5, "MC+PS" = 0.5, PDF = 1, DiBos = 1, STop = 1, Vdm = 1 }\n',
        tables={
            "ttbar.csv": """
Source,ATLAS,CMS,Correlation
Cross section,242.4,239.0,
Stat,1.7,2.6,0
Trig,0.4,3.6,0
LepS,1.2,0.2,0
LepI,1.7,4.0,0
JetR,1.2,3.0,0
JetI,0.1,0.0,0
btag,1.0,1.7,0
Pile,0.0,2.0,0
JESu,0.6,4.3,0
JESi,0.6,0.6,0
JESc,0.3,0.1,0.5
JESf,0.9,2.9,1
JESb,0.1,0.0,0
Scale,0.7,5.6,0.5
Rad,0.0,3.8,0
MC+PS,3.0,3.3,0.5
PDF,2.7,0.5,1
Z+j,0.1,1.5,0
LepM,0.8,1.9,0
DiBos,0.3,0.5,1
STop,2.0,2.3,1
Vdm,2.9,5.0,1
Lumi,6.9,3.6,0
"""
        },
        values={"sigma": 241.5},
        errors={"sigma": 8.5},
        last={"sigma": 0.1},
    ),
}
