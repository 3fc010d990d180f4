"""Hand-worked FLOP and memory: golden values and limit cases."""

from __future__ import annotations

import pytest

from footprint.formulas import compute, memory


def test_six_nd_of_llama_3_1_405b() -> None:
    assert 15.6e12 * compute.training_flop_per_token_6nd(405e9) == pytest.approx(3.791e25, rel=1e-3)


def test_window_as_long_as_the_sequence_is_causal_attention() -> None:
    assert compute.mean_windowed_context(8192, 8192) == pytest.approx(compute.mean_causal_context(8192), rel=1e-15)


def test_short_window_tends_to_the_window() -> None:
    assert compute.mean_windowed_context(1e9, 4096) == pytest.approx(4096, rel=1e-5)


def test_full_attention_is_twice_causal() -> None:
    causal = compute.attention_flop_per_token(126, 16384, compute.mean_causal_context(8192))
    assert causal == pytest.approx(6 * 126 * 16384 * 8192, rel=1e-15)
    assert compute.attention_flop_per_token(126, 16384, 8192) == 2 * causal


def test_latent_attention_with_equal_widths_is_plain_attention() -> None:
    latent = compute.mla_attention_flop_per_token(61, 128, 100, 28, 128, 2048)
    assert latent == compute.attention_flop_per_token(61, 128 * 128, 2048)


def test_forward_is_a_third_of_training() -> None:
    assert 3 * compute.forward_flop_per_token(7e9) == compute.training_flop_per_token_6nd(7e9)


def test_generating_one_token_costs_a_third_of_training_on_it() -> None:
    matmul, core = compute.matmul_flop_per_token(7e9), compute.attention_flop_per_token(32, 4096, 1024)
    training = compute.training_flop_per_token(matmul, core)
    assert 3 * compute.generation_flop_per_token(7e9, 32, 4096, 1024) == pytest.approx(training, rel=1e-15)


def test_doubling_tokens_or_repeats_doubles_flop() -> None:
    once = compute.stage_flop_update(1e12, 1, 4e10)
    assert compute.stage_flop_update(2e12, 1, 4e10) == compute.stage_flop_update(1e12, 2, 4e10) == 2 * once


def test_reference_model_adds_a_third_to_preference_training() -> None:
    alone, read = (compute.preference_flop(1e9, 2, 4e10, n) for n in (0, 1))
    assert alone == compute.stage_flop_update(1e9, 2, 4e10)
    assert read == pytest.approx(alone * 4 / 3, rel=1e-15)


def test_reinforcement_learning_by_hand() -> None:
    n, reward, value = 7e9, 1e9, 2e9
    flop = compute.rl_flop(
        tokens=1e6, repeats_count=1, samples_per_prompt_count=8, inner_epochs_count=2,
        generation_flop_per_token=2 * n, training_flop_per_token=6 * n, reference_passes_count=1,
        reward_params=reward, value_params=value,
    )  # fmt: skip
    by_hand = 8e6 * (2 * n + 2 * n + 2 * reward + 2 * 6 * value + 2 * 6 * n)
    assert flop == pytest.approx(by_hand, rel=1e-15)


def test_discarded_samples_count() -> None:
    assert compute.synthetic_flop(1e9, 1, 0.25, 1.4e10) == 4 * compute.synthetic_flop(1e9, 1, 1.0, 1.4e10)


def test_stored_logits_make_distillation_plain_training() -> None:
    assert compute.distillation_flop(9e12, 1, 8e9, 0) == compute.stage_flop_update(9e12, 1, 8e9)
    assert compute.distillation_flop(1, 1, 8e9, 70e9) == pytest.approx(8e9 + 140e9, rel=1e-15)


def test_adapters_execute_four_flop_per_frozen_parameter() -> None:
    assert compute.lora_flop(1, 1, compute.matmul_flop_per_token(7e9), 0) == pytest.approx(4 * 7e9, rel=1e-15)


def test_states_of_llama_3_1_405b_need_92_devices_of_80_gb() -> None:
    states = memory.state_bytes(405.853e9, 2, 4, 12)
    assert states == pytest.approx(7.305e12, rel=1e-3)
    assert memory.smallest_count(states, 80e9, 1.0) == 92


def test_smallest_count_rounds_up_only_past_a_whole_device() -> None:
    assert memory.smallest_count(160e9, 80e9, 1.0) == 2
    assert memory.smallest_count(160e9 + 1, 80e9, 1.0) == 3
    assert memory.smallest_count(160e9, 80e9, 0.5) == 4


def test_recomputed_activations_by_hand() -> None:
    layers, layer_at_work = 8192 * 2 * 126 * 16384, 8192 * (18 * 16384 + 4 * 53248)
    assert memory.activation_bytes(126, 16384, 53248, 8192, 1) == pytest.approx(layers + layer_at_work, rel=1e-15)
    assert memory.activation_bytes(1, 1000, 4000, 1, 1) == (2 + 34) * 1000  # 34 s b h of a plain FFN
