"""Parameter counts against published totals, FLOP per token against hand-worked ones, every family's configuration."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from footprint.errors import InputError
from footprint.estimation.architecture import (
    active_params,
    attention_dim,
    attention_layers,
    context,
    ffn_dim,
    matmul_params,
    params,
    read_row,
)
from footprint.estimation.hf_config import SUPPORTED, ReadConfig, read_config
from footprint.formulas import compute
from footprint.values import STAGE_KINDS, Architecture

ROOT = Path(__file__).parent.parent
CONFIGS = Path(__file__).parent / "configs"
TEXT = {"qk_norm"}


def table(name: str) -> list[dict[str, str]]:
    with (ROOT / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shape_of(row: dict[str, str]) -> Architecture | None:
    return read_row({k: int(v) if v.isdigit() and k not in TEXT else v or None for k, v in row.items()})


MODELS = {row["id"]: row for row in table("models")}
SHAPES = {name: shape for name, row in MODELS.items() if (shape := shape_of(row))}

EXACT = {
    "llama-1-7b": 6_738_415_616, "llama-1-13b": 13_015_864_320, "llama-1-33b": 32_528_943_616,
    "llama-1-65b": 65_285_660_672, "llama-2-7b": 6_738_415_616, "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192, "llama-3-8b": 8_030_261_248, "llama-3-70b": 70_553_706_496,
    "llama-3.1-8b": 8_030_261_248, "llama-3.1-70b": 70_553_706_496, "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400, "llama-3.2-3b": 3_212_749_824, "mistral-7b": 7_241_732_096,
    "tinyllama-1.1b": 1_100_048_384, "qwen2.5-0.5b": 494_032_768, "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-72b": 72_706_203_648, "qwen3-8b": 8_190_735_360, "qwen3-32b": 32_762_123_264,
    "gemma-2b": 2_506_172_416, "gemma-7b": 8_537_680_896, "gemma-2-2b": 2_614_341_888,
    "gemma-2-9b": 9_241_705_984, "gemma-2-27b": 27_227_128_320, "olmo-2-7b": 7_298_617_344,
    "olmo-2-13b": 13_716_198_400, "olmo-2-32b": 32_234_279_936, "mpt-7b": 6_649_286_656,
    "mpt-30b": 29_957_200_896, "mixtral-8x7b": 46_702_792_704, "mixtral-8x22b": 140_630_071_296,
    "qwen3-30b-a3b": 30_532_122_624, "qwen3-235b-a22b": 235_093_634_560, "deepseek-v2-lite": 15_706_484_224,
    "deepseek-v2": 235_741_434_880, "deepseek-v3": 671_026_419_200, "gpt-neox-20b": 20_554_567_680,
    "pythia-1b": 1_011_781_632, "pythia-6.9b": 6_857_302_016, "pythia-12b": 11_846_072_320,
    "gpt-3": 174_604_259_328, "opt-175b": 174_604_443_648, "bloom": 176_247_271_424,
    "falcon-7b": 7_217_189_760, "falcon-40b": 41_835_970_560, "falcon-180b": 179_522_565_120,
}  # fmt: skip

EXACT_ACTIVE = {
    "mixtral-8x7b": 12_879_925_248, "mixtral-8x22b": 39_161_468_928,
    "qwen3-30b-a3b": 3_353_032_704, "qwen3-235b-a22b": 22_190_763_520,
}  # fmt: skip
EXACT_ACTIVE_WITHOUT_EMBEDDING = {
    "deepseek-v2-lite": 2_451_435_008, "deepseek-v2": 20_851_512_320, "deepseek-v3": 36_625_618_432,
}  # fmt: skip

# Published totals that are rounded or cover more than the text model: the share by which ours may differ.
ROUNDED = {
    "llama-2-34b": 0.015, "llama-4-scout": 0.015, "llama-4-maverick": 0.005, "gopher-280b": 0.002, "glam": 0.04,
}  # fmt: skip

GOLDEN = [  # model, seq_len, matmul params, 6 x those, causal core, total
    ("llama-2-7b", 4096, 6.607e9, 3.964e10, 3.221e9, 4.286e10),
    ("llama-2-70b", 4096, 6.871e10, 4.123e11, 1.611e10, 4.284e11),
    ("llama-3.1-8b", 8192, 7.505e9, 4.503e10, 6.442e9, 5.147e10),
    ("llama-3.1-70b", 8192, 6.950e10, 4.170e11, 3.221e10, 4.492e11),
    ("llama-3.1-405b", 8192, 4.0375e11, 2.4225e12, 1.0147e11, 2.5240e12),
    ("gpt-3", 2048, 1.7456e11, 1.0474e12, 1.450e10, 1.0619e12),
    ("mixtral-8x7b", 8192, 1.2749e10, 7.649e10, 6.442e9, 8.293e10),
    ("deepseek-v2", 4096, 2.0851e10, 1.2510e11, 3.020e10, 1.5530e11),
    ("deepseek-v3", 4096, 3.6625e10, 2.1975e11, 3.070e10, 2.5045e11),
]

PUBLISHED_CONFIGS = {
    "bloom": 176_247_271_424, "deepseek-v2-lite": 15_706_484_224, "deepseek-v3": 671_026_419_200,
    "falcon-7b": 6_921_720_704, "falcon-40b": 41_303_293_952, "gemma-2b": 2_506_172_416,
    "gemma-2-9b": 9_241_705_984, "gemma-3-1b": 999_885_952, "gpt2": 124_439_808,
    "llama-3.1-405b": 405_853_388_800, "llama-7b": 6_738_415_616, "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704, "mpt-7b": 6_649_286_656, "olmo-7b": 6_888_095_744,
    "olmo-2-7b": 7_298_617_344, "olmo-3-7b": 7_298_011_136, "opt-6.7b": 6_658_473_984,
    "phi-2": 2_779_683_840, "phi-3-mini": 3_821_079_552, "pythia-6.9b": 6_857_302_016,
    "qwen1.5-moe-a2.7b": 14_315_784_192, "qwen2.5-0.5b": 494_032_768, "qwen3-8b": 8_190_735_360,
    "qwen3-30b-a3b": 30_532_122_624, "starcoder": 15_517_456_384, "starcoder2-7b": 7_173_923_840,
}  # fmt: skip


def core_flop(arch: Architecture, seq_len: int) -> float:
    return float(compute.attention_flop_per_token(attention_layers(arch), attention_dim(arch), context(arch, seq_len)))


def config(name: str = "llama-3.1-405b", **changes: Any) -> dict[str, Any]:
    return json.loads((CONFIGS / f"{name}.json").read_text()) | changes


def without(name: str, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config(name).items() if key not in keys}


@pytest.mark.parametrize(("model", "count"), EXACT.items())
def test_params_equal_the_published_count(model: str, count: int) -> None:
    assert params(SHAPES[model]) == count


@pytest.mark.parametrize("model", SHAPES)
def test_params_agree_with_the_published_total_of_the_preset(model: str) -> None:
    assert params(SHAPES[model]) == pytest.approx(float(MODELS[model]["params"]), rel=ROUNDED.get(model, 1e-3))


def test_palm_counts_540_36_billion() -> None:
    assert params(SHAPES["palm-540b"]) == pytest.approx(540.36e9, rel=1e-4)


@pytest.mark.parametrize(("model", "count"), EXACT_ACTIVE.items())
def test_active_params_count_the_input_embedding(model: str, count: int) -> None:
    assert active_params(SHAPES[model]) == count


@pytest.mark.parametrize(("model", "count"), EXACT_ACTIVE_WITHOUT_EMBEDDING.items())
def test_active_params_of_deepseek_leave_the_input_embedding_out(model: str, count: int) -> None:
    assert active_params(SHAPES[model], input_embedding=False) == count


@pytest.mark.parametrize(("model", "published", "share"), [("glam", 96.6e9, 1e-3), ("llama-4-scout", 17e9, 0.03),
                                                           ("llama-4-maverick", 17e9, 0.03)])  # fmt: skip
def test_active_params_of_rounded_totals(model: str, published: float, share: float) -> None:
    assert active_params(SHAPES[model]) == pytest.approx(published, rel=share)


@pytest.mark.parametrize(("model", "seq_len", "matmul", "six", "core", "total"), GOLDEN)
def test_golden_flop_per_token(model: str, seq_len: int, matmul: float, six: float, core: float, total: float) -> None:
    arch = SHAPES[model]
    assert matmul_params(arch) == pytest.approx(matmul, rel=1e-3)
    assert compute.matmul_flop_per_token(matmul_params(arch)) == pytest.approx(six, rel=1e-3)
    assert core_flop(arch, seq_len) == pytest.approx(core, rel=1e-3)
    both = compute.training_flop_per_token(compute.matmul_flop_per_token(matmul_params(arch)), core_flop(arch, seq_len))
    assert both == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize(("size", "share"), [("8b", 2.29), ("70b", 1.24), ("405b", 0.67)])
def test_attention_overtakes_at_128k(size: str, share: float) -> None:
    arch = SHAPES[f"llama-3.1-{size}"]
    assert core_flop(arch, 131072) / (6 * matmul_params(arch)) == pytest.approx(share, abs=0.006)


def test_matmul_params_of_llama_3_1() -> None:
    counts = [matmul_params(SHAPES[f"llama-3.1-{size}"]) for size in ("405b", "70b", "8b")]
    assert counts == pytest.approx([403.748e9, 69.502e9, 7.505e9], rel=1e-4)


def test_latent_attention_formula_equals_the_one_with_its_mean_width() -> None:
    arch = SHAPES["deepseek-v3"]
    latent = compute.mla_attention_flop_per_token(
        arch.n_layers, arch.n_heads, arch.nope_dim, arch.rope_dim, arch.value_dim, 2048
    )
    assert latent == core_flop(arch, 4096)


def test_as_many_kv_heads_as_heads_is_multi_head_attention() -> None:
    arch = SHAPES["llama-3.1-8b"]
    grouped, multi = matmul_params(arch), matmul_params(replace(arch, n_kv_heads=arch.n_heads))
    assert multi - grouped == arch.n_layers * 2 * arch.d_model * (32 - 8) * 128
    assert multi == arch.n_layers * (4 * arch.d_model**2 + 3 * arch.d_model * arch.d_ff) + arch.d_model * arch.vocab
    assert core_flop(arch, 8192) == core_flop(replace(arch, n_kv_heads=1), 8192)


def test_routing_to_every_expert_is_the_dense_sum() -> None:
    arch = SHAPES["mixtral-8x7b"]
    everyone = replace(arch, experts_per_token=arch.n_experts)
    dense = replace(arch, n_experts=0, experts_per_token=0, d_expert=0, d_ff=arch.n_experts * arch.d_expert)
    router = arch.n_layers * arch.d_model * arch.n_experts
    assert matmul_params(everyone) == matmul_params(dense) + router
    assert active_params(everyone) == params(everyone) == params(arch)


def test_every_second_layer_mixed_after_three_dense_ones() -> None:
    base = replace(SHAPES["mixtral-8x7b"], n_layers=7)
    expert_layer = params(replace(base, n_layers=2)) - params(replace(base, n_layers=1))
    dense_layer = params(replace(base, n_layers=1, n_dense_layers=1)) - params(replace(base, n_layers=0))
    mixed = replace(base, n_dense_layers=3, moe_every=2)  # layers 4 and 6 of 7
    assert params(mixed) - params(replace(base, n_layers=0)) == 2 * expert_layer + 5 * dense_layer


def test_tying_saves_one_embedding_and_no_flop() -> None:
    arch = SHAPES["llama-3.1-8b"]
    tied = replace(arch, tied=True)
    assert params(arch) - params(tied) == arch.vocab * arch.d_model
    assert matmul_params(arch) == matmul_params(tied)
    assert active_params(tied, input_embedding=False) == active_params(tied)


def test_window_no_shorter_than_the_sequence_is_causal() -> None:
    arch = SHAPES["mistral-7b"]
    assert context(arch, 4096) == context(arch, 4095) + 0.5 == 2048
    assert context(arch, 8192) == 4096 * (1 - 4096 / 16384)


def test_alternating_windows_average_over_layers() -> None:
    arch = SHAPES["gemma-2-9b"]
    assert context(arch, 8192) == pytest.approx((4096 + 3072) / 2, rel=1e-15)
    assert context(replace(arch, window=0), 8192) == 4096


def test_multi_token_prediction_adds_a_layer_a_head_and_a_projection() -> None:
    arch = SHAPES["deepseek-v3"]
    deeper = replace(arch, mtp_depth=1)
    layer = matmul_params(replace(arch, n_layers=62)) - matmul_params(arch)
    assert matmul_params(deeper) - matmul_params(arch) == layer + 2 * 7168**2 + 7168 * 129280
    assert attention_layers(deeper) == 62
    assert params(deeper) > params(arch) + 11e9


def test_ffn_dim_is_the_widest_that_a_token_passes() -> None:
    assert ffn_dim(SHAPES["llama-3.1-8b"]) == 14336
    assert ffn_dim(SHAPES["mixtral-8x7b"]) == 2 * 14336
    assert ffn_dim(SHAPES["deepseek-v3"]) == 18432


def test_model_without_public_shape_has_no_architecture() -> None:
    closed = [name for name, row in MODELS.items() if row["closed"] == "yes"]
    assert closed == ["gpt-4", "gpt-4o", "claude-3.5-sonnet"]
    assert not set(closed) & set(SHAPES)


def test_every_stage_belongs_to_a_model_and_follows_a_stage_of_it() -> None:
    accelerators = {row["id"] for row in table("accelerators")}
    stages = table("stages")
    names = {(row["model"], row["stage"]) for row in stages}
    assert len(names) == len(stages)
    for row in stages:
        assert row["model"] in MODELS
        assert row["kind"] in STAGE_KINDS
        assert row["accelerator"] in accelerators | {""}
        assert all((row["model"], before) in names for before in row["after"].split(";") if before)
        assert row["source"]
        assert row["as_of"]


def test_every_model_has_a_stage_and_its_runs_exist() -> None:
    runs = {row["id"] for row in table("runs")}
    assert {row["model"] for row in table("stages")} == set(MODELS)
    for row in MODELS.values():
        assert set(filter(None, row["run_ids"].split(";"))) <= runs, row["id"]


def test_no_name_stands_for_two_models() -> None:
    names = [n.casefold() for row in MODELS.values() for n in (row["id"], *row["aliases"].split(";")) if n]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "count"), PUBLISHED_CONFIGS.items())
def test_configuration_gives_the_published_count(name: str, count: int) -> None:
    assert params(read_config(CONFIGS / f"{name}.json").architecture) == count


def test_every_supported_family_has_a_fixture() -> None:
    assert {config(name)["model_type"] for name in PUBLISHED_CONFIGS} == set(SUPPORTED)
    assert {path.stem for path in CONFIGS.glob("*.json")} == set(PUBLISHED_CONFIGS)


@pytest.mark.parametrize("name", ["bloom", "deepseek-v3", "gemma-2b", "llama-3.1-405b", "mistral-7b", "mixtral-8x7b",
                                  "mpt-7b", "olmo-7b", "olmo-2-7b", "phi-3-mini", "pythia-6.9b", "qwen3-8b",
                                  "qwen3-30b-a3b", "starcoder"])  # fmt: skip
def test_configuration_and_preset_agree(name: str) -> None:
    assert read_config(config(name)).architecture == SHAPES[name]


def test_configuration_tells_its_length_name_and_kind() -> None:
    read = read_config(config(_name_or_path="meta-llama/Llama-3.1-405B"))
    assert (read.model_type, read.name, read.max_seq_len) == ("llama", "meta-llama/Llama-3.1-405B", 131072)
    assert read.unknown_fields == ()


def test_folder_with_a_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config("gpt2")))
    assert isinstance(read_config(str(tmp_path)), ReadConfig)


def test_unknown_architectural_keys_are_named() -> None:
    assert read_config(config("deepseek-v3")).unknown_fields == ("num_nextn_predict_layers",)
    read = read_config(config(num_memory_layers=4, eos_token_id=2, initializer_range=0.02))
    assert read.unknown_fields == ("num_memory_layers",)


@pytest.mark.parametrize(("name", "absent", "field", "value"), [
    ("llama-7b", "num_key_value_heads", "n_kv_heads", 32),
    ("mistral-7b", "num_key_value_heads", "n_kv_heads", 8),
    ("mistral-7b", "sliding_window", "window", 4096),
    ("mixtral-8x7b", "num_experts_per_tok", "experts_per_token", 2),
    ("gemma-2b", "head_dim", "head_dim", 256),
    ("gemma-2b", "tie_word_embeddings", "tied", True),
    ("llama-7b", "tie_word_embeddings", "tied", False),
    ("gpt2", "tie_word_embeddings", "tied", True),
    ("pythia-6.9b", "tie_word_embeddings", "tied", False),
    ("qwen3-8b", "head_dim", "head_dim", 128),
    ("qwen3-30b-a3b", "num_key_value_heads", "n_kv_heads", 4),
    ("gemma-3-1b", "sliding_window_pattern", "window_every", 6),
    ("starcoder", "multi_query", "n_kv_heads", 1),
    ("falcon-7b", "multi_query", "n_kv_heads", 1),
])  # fmt: skip
def test_absent_keys_take_the_default_of_the_family(name: str, absent: str, field: str, value: int) -> None:
    assert getattr(read_config(without(name, absent)).architecture, field) == value


def test_null_counts_as_absent_but_a_null_window_is_none() -> None:
    assert read_config(config("llama-7b", num_key_value_heads=None)).architecture.n_kv_heads == 32
    assert read_config(config("mistral-7b", sliding_window=None)).architecture.window == 0


def test_qwen_windows_only_when_switched_on() -> None:
    off = config("qwen2.5-0.5b", sliding_window=4096, max_window_layers=0)
    assert read_config(off).architecture.window == 0
    assert read_config(off | {"use_sliding_window": True}).architecture.window == 4096


def test_layer_types_give_the_share_of_global_layers() -> None:
    arch = read_config(config("olmo-3-7b")).architecture
    assert (arch.window, arch.window_every) == (4096, 4)
    whole = read_config(config("olmo-3-7b", layer_types=["full_attention"] * 32)).architecture
    assert (whole.window, whole.window_every) == (0, 1)


@pytest.mark.parametrize("kind", ["bert", "t5", "vit", "whisper", "mamba", ""])
def test_other_kinds_are_refused_with_the_supported_ones(kind: str) -> None:
    with pytest.raises(InputError, match=rf"model_type.*{kind}.*not a supported.*llama, mistral"):
        read_config({"model_type": kind, "hidden_size": 768})


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
                                 "intermediate_size"])  # fmt: skip
def test_missing_widths_are_named(key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}: is missing"):
        read_config(without("llama-3.1-405b", key))


@pytest.mark.parametrize("key", ["kv_lora_rank", "n_routed_experts", "moe_intermediate_size", "v_head_dim"])
def test_missing_widths_of_latent_attention_are_named(key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}: is missing"):
        read_config(without("deepseek-v3", key))


@pytest.mark.parametrize(("key", "value"), [
    ("num_hidden_layers", 0), ("hidden_size", -1), ("vocab_size", 1.5), ("num_attention_heads", True),
    ("intermediate_size", "big"), ("vocab_size", float("nan")), ("vocab_size", float("inf")),
    ("num_hidden_layers", 10**12), ("hidden_size", [4096]),
])  # fmt: skip
def test_absurd_values_are_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^{key} = .*must be a whole number from 1"):
        read_config(config(**{key: value}))


@pytest.mark.parametrize(("name", "change", "message"), [
    ("llama-3.1-405b", {"tie_word_embeddings": "yes"}, "tie_word_embeddings = 'yes': must be true or false"),
    ("llama-3.1-405b", {"num_key_value_heads": 7}, "num_key_value_heads = 7: must divide the 128"),
    ("llama-3.1-405b", {"num_key_value_heads": 256}, "num_key_value_heads = 256: must be at most 128"),
    ("llama-7b", {"num_attention_heads": 33}, "num_attention_heads = 33: must divide the width 4096"),
    ("mixtral-8x7b", {"num_experts_per_tok": 9}, "num_experts_per_tok = 9: must be at most 8"),
    ("deepseek-v3", {"first_k_dense_replace": 62}, "first_k_dense_replace = 62: must be at most 61"),
    ("deepseek-v3", {"q_lora_rank": -1}, "q_lora_rank = -1: must be a whole number from 0"),
    ("opt-6.7b", {"word_embed_proj_dim": 512}, "word_embed_proj_dim = 512: must equal hidden_size 4096"),
    ("mpt-7b", {"attn_config": "alibi"}, "attn_config = 'alibi': must be an object"),
    ("qwen3-30b-a3b", {"mlp_only_layers": [5]}, "mlp_only_layers = '\\[5\\]': must be the first layers"),
])  # fmt: skip
def test_contradictions_are_refused_by_name(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        read_config(config(name, **change))


@pytest.mark.parametrize(("content", "message"), [
    ('{"model_type": "llama",\n"hidden_size": }', "is not JSON at line 2"),
    ("", "is not JSON at line 1"),
    ("[1, 2]", "is not a JSON object"),
])  # fmt: skip
def test_malformed_files_are_refused_with_the_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_absent_or_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read; give the path"):
        read_config(tmp_path / "nowhere.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_config(tmp_path / "binary.json")
