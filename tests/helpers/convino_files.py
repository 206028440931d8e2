"""A small Convino configuration in text, edited copies of it, and the question what a reader says of them."""

import warnings

from refusals import changed, refused

from bayescomb.base.errors import InputWarning
from bayescomb.formats.convino.base_file import load_convino

BASE = """\
Two channels of one experiment and an older result.
[global]
  normalise = false
[end global]

[inputs]
  nFiles = 2   # the older result is left.txt
  file0 = left.txt
  file1 = right.txt
[end inputs]

[observables]
  mass = l_mass + r_mass
  width = r_width
[end observables]

[correlations]
  l_scale = (0.5 & 0.0 : 0.9) r_scale + (0.2 & 0.4 : -0.4) r_tagging
  l_model = (-0.3) r_model
  #!FILE = more.txt
[end correlations]

[uncertainty impacts]
  scale = l_scale + r_scale
  statistics = stat
[end uncertainty impacts]
"""

LEFT = """\
[not fitted]
          l_scale  l_model  stat
  l_mass  1.5      (+2-1)   3
  l_rate  0.5      0.1      0.2
[end not fitted]

[systematics]
  l_model = relative
[end systematics]

[estimates]
  n_estimates = 2
  name_0 = l_mass
  value_0 = 172.5
  name_1 = l_rate
  value_1 = 12
[end estimates]
"""

RIGHT = """\
[hessian]
  r_scale    4.0
  r_mass     0.4   0.25
  r_tagging  0.1   0.02  1.5
  r_width    -0.3  0.05  0.0   0.5
[end hessian]

[not fitted]
           r_model
  r_mass   0.7
  r_width  -0.2
[end not fitted]

[systematics]
[end systematics]

[estimates]
  n_estimates = 2
  name_0 = r_width
  value_0 = 1.4
  name_1 = r_mass
  value_1 = 173.0
[end estimates]

[nuisance values]
  r_tagging = -0.4
[end nuisance values]
"""

MORE = """\
# read after the lines of the block itself
l_scale = (0.1) r_model
"""

FILES = {"base.txt": BASE, "left.txt": LEFT, "right.txt": RIGHT, "more.txt": MORE}

# The same post-fit covariance as the one [hessian] of an input, by what the author types.
CORRELATED = """\
[correlation matrix]
  r_scale (0.5) 1
  r_mass (2) 0.25 1
  r_width (1.5) 0.1 -0.2 1
[end correlation matrix]
[systematics]
[end systematics]
[estimates]
  n_estimates = 2
  name_0 = r_mass
  value_0 = 173
  name_1 = r_width
  value_1 = 1.4
[end estimates]
"""


class Files:
    """A configuration in a folder, the small one unless it is edited."""

    def __init__(self, folder, **texts):
        self.folder = folder
        self.texts = FILES | {f"{name}.txt": text for name, text in texts.items()}

    def edit(self, name, old, new):
        """Replace a text that occurs once in a file."""
        self.texts[name] = changed(self.texts[name], old, new)
        return self

    def at(self, name, text):
        """``file:line`` of the first line of a file that holds a text."""
        lines = self.texts[name].splitlines()
        return f"{name}:{next(i for i, line in enumerate(lines, 1) if text in line)}"

    def write(self):
        for name, text in self.texts.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return self.folder / "base.txt"

    def load(self):
        """The combination; a warning fails the test."""
        return load_convino(self.write())

    def load_warned(self, *said):
        """The combination, with exactly one warning for each list of fragments."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            combination = load_convino(self.write())
        assert all(w.category is InputWarning for w in caught)
        messages = [str(w.message) for w in caught]
        assert len(messages) == len(said), messages
        for message, fragments in zip(messages, said, strict=True):
            missing = [fragment for fragment in fragments if fragment not in message]
            assert not missing, f"{missing} not in {message!r}"
            assert message.startswith(str(self.folder)), message
        return combination

    def refused(self, error, *said):
        """Reading raises this error with all these fragments; warnings before it do not matter."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            with refused(error, *said) as caught:
                load_convino(self.write())
        return str(caught.value)


def load_quietly(path):
    """A combination whatever its files are warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return load_convino(path)
