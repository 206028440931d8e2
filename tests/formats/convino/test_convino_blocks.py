"""Blocks of Convino files: markers, comments, includes, and files that are none."""

import re

import pytest
from convino_files import BASE, FILES, MORE, Files

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, UnknownNameError
from bayescomb.formats.convino.base_file import looks_like_convino
from bayescomb.inputs.serialise import difference


def nominal(combination):
    return {c.name: c.nominal for c in combination.assumption_set.coefficients}


def test_white_space_in_and_behind_markers_does_not_count(tmp_path):
    files = (
        Files(tmp_path)
        .edit("right.txt", "[not fitted]", "\t[ notfitted ]  # external")
        .edit("base.txt", "[global]", "[ global]")
    )
    assert nominal(files.load()) == nominal(Files(tmp_path).load())


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    plain = Files(tmp_path / "plain").load()
    for end in ("\r\n", "\r"):
        files = Files(tmp_path / "other")
        files.texts = {name: "\ufeff" + text.replace("\n", end) for name, text in files.texts.items()}
        assert bc.profile(files.load()).values.equals(bc.profile(plain).values)


def test_tabs_and_other_blanks_separate_cells(tmp_path):
    files = Files(tmp_path)
    files.texts = {name: text.replace("  ", "\t").replace(" = ", "\u00a0=\t") for name, text in files.texts.items()}
    files.edit("base.txt", "l_model\u00a0=\t(-0.3) r_model", "l_model = (-0.3)\tr_model\t")
    files.edit("base.txt", "#!FILE\u00a0=\tmore.txt", "#!FILE\t=\tmore.txt\t# more of them")
    assert bc.profile(files.load()).values.equals(bc.profile(Files(tmp_path / "plain").load()).values)


@pytest.mark.parametrize(
    "line", ["See [hessian] of right.txt.", "# [correlation matrix] comes later", "text [ not fitted ] text"]
)
def test_mention_of_a_marker_before_its_block_is_text_with_a_warning(tmp_path, line):
    files = Files(tmp_path, right=line + "\n" + FILES["right.txt"])
    assert "r_model" in {n.name for n in files.load_warned(["right.txt:1", "mention", "Convino starts the block"]).nuisances}


def test_mention_of_a_marker_behind_its_block_is_text(tmp_path):
    files = Files(tmp_path).edit(
        "right.txt", "[end not fitted]", "[end not fitted]\nAs for the [hessian] above, it is exact."
    )
    files.load()


def test_commented_end_marker_is_a_comment_with_a_warning(tmp_path):
    files = Files(tmp_path).edit("base.txt", "  l_model = (-0.3)", "  # [end correlations]\n  l_model = (-0.3)")
    combination = files.load_warned([files.at("base.txt", "# [end corr"), "in a comment"])
    assert nominal(combination)["l_model x r_model"] == -0.3


def test_end_marker_behind_data_is_refused(tmp_path):
    files = Files(tmp_path).edit("left.txt", "  value_1 = 12\n", "  value_1 = 12 [end estimates]\n")
    files.refused(FileFormatError, files.at("left.txt", "value_1"), "line of its own")


def test_text_behind_a_marker_is_not_read(tmp_path):
    files = Files(tmp_path).edit("base.txt", "[global]", "[global] normalise = true")
    assert not files.load_warned(["base.txt:2", "not read", "line of its own"]).normalise


@pytest.mark.parametrize(
    ("name", "old", "new", "at", "said"),
    [
        ("base.txt", "[end correlations]\n", "", "[uncertainty", ["begins inside [correlations]", "[end correlations]"]),
        ("right.txt", "[end nuisance values]\n", "", "[nuisance values]", ["not ended", "add a line"]),
        ("right.txt", "[not fitted]\n", "# not fitted\n", "[end not fitted]", ["without its start"]),
        ("right.txt", "[end not fitted]", "[end hessian]", "[end hessian]", []),
        ("right.txt", "[end not fitted]", "[end]", "[end]", ["inside [not fitted]"]),
        ("right.txt", "[nuisance values]", "[Nuisance values]", "[Nuisance", ["did you mean [nuisance values]"]),
        ("base.txt", "[correlations]", "[correlaions]", "[correlaions]", ["did you mean [correlations]"]),
        ("base.txt", "[end correlations]", "[end corelations]", "[end corel", ["did you mean [end correlations]"]),
        ("base.txt", "[global]", "[hessian]\n[end hessian]\n[global]", "[hessian]", ["measurement file", "move it"]),
        ("base.txt", "  width =", "  [1] prose\n  width =", "[1]", ["inside [observables]"]),
    ],
)
def test_wrong_markers_are_refused(tmp_path, name, old, new, at, said):
    files = Files(tmp_path).edit(name, old, new)
    where = files.at(name, at) if at != "[end hessian]" else f"{name}:12"
    files.refused(FileFormatError, where, *said)


def test_second_block_of_a_name_is_refused(tmp_path):
    files = Files(tmp_path, right=FILES["right.txt"] + "[systematics]\n[end systematics]\n")
    files.refused(DuplicateNameError, "right.txt:28", files.at("right.txt", "[systematics]"), "merge them")


@pytest.mark.parametrize(
    ("name", "block"),
    [("base.txt", b) for b in ("inputs", "observables", "correlations")] + [("left.txt", "estimates")],
)
def test_required_block_is_asked_for(tmp_path, name, block):
    text = FILES[name]
    start, end = text.index(f"[{block}]"), text.index(f"[end {block}]")
    Files(tmp_path, **{name.removesuffix(".txt"): text[:start] + text[end + len(block) + 6 :]}).refused(
        FileFormatError, str(tmp_path / name), f"[{block}] is missing", "add"
    )


def test_missing_global_block_normalises_nothing_with_a_warning(tmp_path):
    # As in the first example that came with Convino.
    files = Files(tmp_path).edit("base.txt", "[global]\n  normalise = false\n[end global]\n", "")
    combination = files.load_warned([str(tmp_path / "base.txt"), "[global] is missing", "nothing is normalised"])
    assert not difference(combination, Files(tmp_path / "right").load())


def test_group_without_nuisances_is_left_out_with_a_warning(tmp_path):
    # Scripts write a line for every source, be it in no input.
    files = Files(tmp_path).edit("base.txt", "  statistics = stat\n", "  statistics = stat\n  pileup = \n")
    combination = files.load_warned([files.at("base.txt", "pileup"), "group 'pileup' has no nuisances", "remove it"])
    assert not difference(combination, Files(tmp_path / "right").load())


def test_missing_systematics_are_absolute_with_a_warning(tmp_path):
    files = Files(tmp_path).edit("left.txt", "[systematics]\n  l_model = relative\n[end systematics]\n", "")
    combination = files.load_warned([str(tmp_path / "left.txt"), "[systematics] is missing", "absolute"])
    right = Files(tmp_path / "right").edit("left.txt", "l_model = relative", "")
    assert not difference(combination, right.load())


END = "[end systematics]\n"


def last_end(files):
    """Where the last end of the systematics stands."""
    lines = files.texts["left.txt"].splitlines()
    return f"left.txt:{max(i for i, line in enumerate(lines, 1) if line == END.strip())}"


@pytest.mark.parametrize("between", ["", "\n \n", "# l_model = absolute\n", "That was all.\n"])
def test_second_end_marker_is_warned_of(tmp_path, between):
    files = Files(tmp_path).edit("left.txt", END, END + between + END)
    combination = files.load_warned([last_end(files), "second [end systematics]"])
    assert not difference(combination, Files(tmp_path / "right").load())


def test_second_end_marker_behind_or_among_other_entries_is_warned_of(tmp_path):
    for i, line in enumerate(("[end estimates]\n", "  value_0 = 172.5\n")):
        files = Files(tmp_path / str(i)).edit("left.txt", line, line + "[end systematics]\n")
        combination = files.load_warned([last_end(files), "second [end systematics]"])
        assert not difference(combination, Files(tmp_path / "right").load())


@pytest.mark.parametrize("between", ["l_scale = relative\n", "l_mass 1.5\n", "#!FILE = more.txt\n"])
def test_second_end_marker_behind_what_may_have_been_meant_is_refused(tmp_path, between):
    files = Files(tmp_path).edit("left.txt", END, END + between + END)
    files.refused(FileFormatError, last_end(files), "remove the end that is not meant")


def test_order_of_the_blocks_does_not_count(tmp_path):
    def reversed_blocks(text):
        blocks = re.findall(r"^\[.*?^\[end [^\n]*\n", text, flags=re.MULTILINE | re.DOTALL)
        return "".join(reversed(blocks))

    texts = {name.removesuffix(".txt"): reversed_blocks(text) for name, text in FILES.items() if name != "more.txt"}
    assert not difference(Files(tmp_path, **texts).load(), Files(tmp_path / "right").load())


def test_unlike_unknown_block_is_text_with_a_warning(tmp_path):
    files = Files(tmp_path, base=BASE + "[ plots ]\n colour = red\n[end plots]\n[1] A reference.\n")
    files.load_warned(["base.txt:27", "unknown marker '[plots]'"], ["base.txt:29", "[endplots]"])


def test_included_lines_come_last_and_belong_to_their_block_only(tmp_path):
    files = Files(tmp_path).edit("base.txt", "  #!FILE = more.txt\n", "")
    files.edit("base.txt", "  l_scale =", "  l_model = (0.4) r_scale #!FILE = deep/more.txt\n  l_scale =")
    files.edit("right.txt", "  n_estimates = 2", "  #!FILE = n.txt")
    files.texts |= {
        "deep/more.txt": "#!FILE = ../more.txt\nl_model = (0.6) r_tagging\n",
        "n.txt": "# count\nn_estimates = 2\n",
    }
    names = list(nominal(files.load()))
    assert names == [
        "l_model x r_scale", "l_scale x r_scale", "l_scale x r_tagging", "l_model x r_model",
        "l_model x r_tagging", "l_scale x r_model",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("#!FILE = absent.txt", ["absent.txt: no such file"]),
        ("#!FILE more.txt", ["names no file"]),
        ("#!FILE =", ["names no file"]),
        ("#!FILE = # more.txt", ["names no file"]),
        ("#!FILE = mo\x00re.txt", ["names no file"]),
        ("#!FILE = .", ["a folder found"]),
        ("#!FILE = base.txt", ["includes itself"]),
    ],
)
def test_include_that_fails_names_its_line(tmp_path, include, said):
    files = Files(tmp_path).edit("base.txt", "#!FILE = more.txt", include)
    files.refused(FileFormatError, "base.txt:20", *said)


def test_circle_of_includes_is_refused(tmp_path):
    files = Files(tmp_path, more="#!FILE = sub/other.txt\n")
    files.texts["sub/other.txt"] = "\n#!FILE = ../sub/../more.txt\n"
    files.refused(FileFormatError, "other.txt:2", "includes itself")


def test_growing_number_of_includes_is_refused(tmp_path):
    files = Files(tmp_path, more="#!FILE = 0.txt\n")
    for i in range(12):
        files.texts[f"{i}.txt"] = f"#!FILE = {i + 1}.txt\n" * 2
    files.texts["12.txt"] = ""
    files.refused(FileFormatError, "11.txt:", "more than 1000 files")


def test_marker_in_an_included_file_is_refused(tmp_path):
    files = Files(tmp_path, more="[correlations]\n" + MORE + "[end correlations]\n")
    files.refused(FileFormatError, "more.txt:1", "without markers")


def test_fault_in_an_included_file_names_that_file(tmp_path):
    Files(tmp_path, more="\n\nl_scale = (0.1) nobody\n").refused(UnknownNameError, "more.txt:3", "'nobody'")


@pytest.mark.parametrize("spelling", ["#!file = more.txt", "# !FILE = more.txt"])
def test_misspelled_include_is_a_comment_with_a_warning(tmp_path, spelling):
    files = Files(tmp_path).edit("base.txt", "#!FILE = more.txt", spelling)
    assert "l_scale x r_model" not in nominal(files.load_warned(["base.txt:20", "read as a comment"]))


def test_include_behind_a_comment_sign_is_read_with_a_warning(tmp_path):
    files = Files(tmp_path).edit("base.txt", "#!FILE = more.txt", "# #!FILE = more.txt")
    assert "l_scale x r_model" in nominal(files.load_warned(["base.txt:20", "all the same"]))


def test_include_outside_the_blocks_is_warned_of(tmp_path):
    files = Files(tmp_path, base="#!FILE = more.txt\n" + BASE)
    files.load_warned(["base.txt:1", "outside the blocks"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is missing"),
        (BASE.encode("latin-1") + b"\xe9t\xe9", "UTF-8"),
        (b"\x00" * 1000, "zero bytes"),
        (b"\x89HDF\r\n\x1a\n\x00\xff", "UTF-8"),
        (b"x" * 3_000_000, "is missing"),
    ],
)
@pytest.mark.parametrize("name", ["base.txt", "left.txt"])
def test_file_that_is_no_text_of_this_kind_is_refused(tmp_path, name, content, said):
    files = Files(tmp_path)
    path = files.write()
    (tmp_path / name).write_bytes(content)
    files.texts = {}
    assert str(path) in files.refused(FileFormatError, str(tmp_path / name), said)


@pytest.mark.parametrize("where", ["", "absent.txt", "x" * 300, "a\x00b"])
def test_path_that_is_no_file_is_refused(tmp_path, where):
    files = Files(tmp_path).edit("base.txt", "file1 = right.txt", f"file1 = {where or '.'}")
    files.refused(FileFormatError, files.at("base.txt", "file1 ="))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u200b", "\u202e"])
def test_character_that_cannot_be_printed_is_refused_in_data_and_free_elsewhere(tmp_path, character):
    Files(tmp_path, base=f"a{character}b\n" + BASE.replace("# the older", f"# {character} older")).load()
    files = Files(tmp_path).edit("base.txt", "l_model = (", f"l_mo{character}del = (")
    files.refused(FileFormatError, "base.txt:19", "cannot be printed")


@pytest.mark.parametrize("size", [300, 300_000])
def test_endless_names_and_numbers_are_refused(tmp_path, size):
    files = Files(tmp_path).edit("base.txt", "width = r_width", f"{'w' * size} = r_width")
    message = files.refused(UnknownNameError, files.at("base.txt", "www"), "too long")
    assert len(message) < 500
    files = Files(tmp_path).edit("left.txt", "value_1 = 12", f"value_1 = {'9' * size}")
    assert len(files.refused(InvalidNumberError, files.at("left.txt", "value_1"))) < 500


def test_detection_goes_by_the_inputs_block(tmp_path):
    path = Files(tmp_path).write()
    (tmp_path / "model.toml").write_text(BASE)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert looks_like_convino(path)
    for other in ("left.txt", "model.toml", "binary", "absent.txt", "."):
        assert not looks_like_convino(tmp_path / other)


@pytest.mark.parametrize("n", [20_000])
def test_many_entries_are_read_without_delay(tmp_path, n):
    """Nothing takes a time that grows with the square of the entries; the faults come after everything was read."""
    many = " ".join(f"n{i}" for i in range(n))
    table = f"[not fitted]\n{many} stat\nl_mass {'1 ' * n} 3\nl_rate {'0 ' * n} 3\n[end not fitted]\n"
    types = "".join(f"n{i} = absolute\n" for i in range(n))
    estimates = "n_estimates = 1\nname_0 = l_mass\nvalue_0 = 1\n" + "".join(f"name_{i} = x{i}\n" for i in range(2, n))
    text = f"{table}[systematics]\n{types}[end systematics]\n[estimates]\n{estimates}[end estimates]\n"
    Files(tmp_path, left=text).refused(UnknownNameError, "left.txt:4", "'l_rate'")
    impacts = "".join(f"g{i} = {many}\n" for i in range(2))
    files = Files(tmp_path).edit("base.txt", "  scale = l_scale + r_scale\n", impacts)
    files.refused(UnknownNameError, "base.txt:24")
