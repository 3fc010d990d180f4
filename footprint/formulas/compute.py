"""Floating-point operations of training, by token and by stage.

A multiply-add is 2 FLOP; training is three forward passes (forward, activation gradient, weight
gradient), so 6 FLOP per matmul parameter and token. Norms, softmax, rotary embedding, activation
functions and the gather of the input embedding are left out; all precisions count alike.
Floats or arrays in, the same out. Invalid input is the caller's to refuse.
"""

from __future__ import annotations

from footprint.units import Quantity

__all__ = [
    "attention_flop_per_token",
    "distillation_flop",
    "evaluation_flop",
    "forward_flop_per_token",
    "generation_flop_per_token",
    "lora_flop",
    "matmul_flop_per_token",
    "mean_causal_context",
    "mean_windowed_context",
    "mla_attention_flop_per_token",
    "preference_flop",
    "rl_flop",
    "rollout_flop",
    "stage_flop_update",
    "synthetic_flop",
    "training_flop_per_token",
    "training_flop_per_token_6nd",
]


def training_flop_per_token_6nd(params: Quantity) -> Quantity:
    """Training FLOP per token by the rule of thumb C = 6 N D, when only the parameter count is known.

    Leaves out the attention core (about seq_len / (12 d_model) of the total) and counts the input
    embedding, which is a lookup. Off by a few per cent for large models at short context, by far more
    for small models or long context.

    training_flop_per_token_6nd = 6 * params

    Parameters
    ----------
    params : float or array
        Parameters, dimensionless, > 0. For a mixture of experts the active parameters, not the total.

    References
    ----------
    .. [1] Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, section 2.1.
    .. [2] Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556, appendix F.
    """
    return 6 * params


def matmul_flop_per_token(matmul_params: Quantity) -> Quantity:
    """Training FLOP per token in matrix multiplications with weights: projections, FFN, router, vocabulary head.

    Leaves out the attention core. The vocabulary head counts whether tied or not, the input embedding never.

    matmul_flop_per_token = 6 * matmul_params

    Parameters
    ----------
    matmul_params : float or array
        Weights that a token is multiplied with, dimensionless, > 0; active experts only.

    References
    ----------
    .. [1] Narayanan et al. 2021, "Efficient Large-Scale Language Model Training on GPU Clusters",
       arXiv 2104.04473, appendix.
    """
    return 6 * matmul_params


def mean_causal_context(seq_len: Quantity) -> Quantity:
    """Mean number of tokens that a token attends to under a causal mask: the lower triangle only.

    Leaves out the diagonal's half token and document boundaries inside a packed sequence.

    mean_causal_context = seq_len / 2

    Parameters
    ----------
    seq_len : float or array
        Sequence length in tokens, >= 1.

    References
    ----------
    .. [1] Dao 2023, "FlashAttention-2", arXiv 2307.08691, section 3.1 (a causal mask halves the work).
    """
    return seq_len / 2


def mean_windowed_context(seq_len: Quantity, window: Quantity) -> Quantity:
    """Mean number of tokens that a token attends to under a causal sliding window.

    Equals `mean_causal_context` when the window is the sequence.

    mean_windowed_context = window * (1 - window / (2 * seq_len))

    Parameters
    ----------
    seq_len : float or array
        Sequence length in tokens, >= 1.
    window : float or array
        Window in tokens, 1 to seq_len. Pass min(window, seq_len): beyond seq_len the equation does not hold.

    References
    ----------
    .. [1] Beltagy et al. 2020, "Longformer", arXiv 2004.05150, section 3.1; the mean over positions is elementary.
    """
    return window * (1 - window / (2 * seq_len))


def attention_flop_per_token(
    n_attention_layers: Quantity, attention_dim: Quantity, context_tokens: Quantity
) -> Quantity:
    """Training FLOP per token in the attention core: scores and weighted sum of values.

    Depends on query heads only: grouped or multi-query attention saves memory, not these FLOP. Leaves out
    softmax and the forward pass that a fused kernel repeats. With context_tokens = seq_len it counts full
    attention (12 L a d s), with seq_len / 2 causal attention (6 L a d s).

    attention_flop_per_token = 12 * n_attention_layers * attention_dim * context_tokens

    Parameters
    ----------
    n_attention_layers : float or array
        Layers with attention, >= 0.
    attention_dim : float or array
        Query heads times head width, dimensionless, > 0.
    context_tokens : float or array
        Mean number of tokens attended to, from `mean_causal_context` or `mean_windowed_context`.

    References
    ----------
    .. [1] Chowdhery et al. 2022, "PaLM", arXiv 2204.02311, appendix B (full attention).
    """
    return 12 * n_attention_layers * attention_dim * context_tokens


def mla_attention_flop_per_token(
    n_attention_layers: Quantity,
    n_heads: Quantity,
    nope_dim: Quantity,
    rope_dim: Quantity,
    value_dim: Quantity,
    context_tokens: Quantity,
) -> Quantity:
    """Training FLOP per token in the core of multi-head latent attention, keys and values expanded.

    Query and key are nope_dim + rope_dim wide, the value value_dim. Leaves out the low-rank projections
    (they are matmul parameters), softmax and the absorbed form used in inference.

    mla_attention_flop_per_token = 6 * n_attention_layers * n_heads * (nope_dim + rope_dim + value_dim) * context_tokens

    Parameters
    ----------
    n_attention_layers : float or array
        Layers with attention, >= 0.
    n_heads : float or array
        Query heads, >= 1.
    nope_dim, rope_dim, value_dim : float or array
        Widths of a head without and with rotary position, and of its value, dimensionless, >= 0.
    context_tokens : float or array
        Mean number of tokens attended to.

    References
    ----------
    .. [1] DeepSeek-AI 2024, "DeepSeek-V2", arXiv 2405.04434, section 2.1.
    """
    return 6 * n_attention_layers * n_heads * (nope_dim + rope_dim + value_dim) * context_tokens


def training_flop_per_token(matmul_flop_per_token: Quantity, attention_flop_per_token: Quantity) -> Quantity:
    """Training FLOP per token of a transformer: the model FLOP that MFU counts.

    Leaves out recomputation, which hardware executes (HFU) and MFU does not count.

    training_flop_per_token = matmul_flop_per_token + attention_flop_per_token

    Parameters
    ----------
    matmul_flop_per_token, attention_flop_per_token : float or array
        FLOP per token, >= 0.

    References
    ----------
    .. [1] Chowdhery et al. 2022, "PaLM", arXiv 2204.02311, appendix B.
    """
    return matmul_flop_per_token + attention_flop_per_token


def forward_flop_per_token(params: Quantity) -> Quantity:
    """FLOP per token of one forward pass: a third of training.

    Leaves out the attention core, like `training_flop_per_token_6nd`.

    forward_flop_per_token = 2 * params

    Parameters
    ----------
    params : float or array
        Parameters, dimensionless, > 0; matmul parameters when known, active ones for a mixture of experts.

    References
    ----------
    .. [1] Kaplan et al. 2020, arXiv 2001.08361, section 2.1.
    """
    return 2 * params


def generation_flop_per_token(
    matmul_params: Quantity, n_layers: Quantity, attention_dim: Quantity, context_tokens: Quantity
) -> Quantity:
    """FLOP to generate one token with a key-value cache.

    Leaves out the prompt (charge its tokens apart) and drafts that speculative decoding rejects.

    generation_flop_per_token = 2 * matmul_params + 4 * n_layers * attention_dim * context_tokens

    Parameters
    ----------
    matmul_params : float or array
        Weights that a token is multiplied with, > 0; active experts only.
    n_layers : float or array
        Layers with attention, >= 0.
    attention_dim : float or array
        Query heads times head width, > 0.
    context_tokens : float or array
        Mean number of tokens in the cache, >= 0.

    References
    ----------
    .. [1] Kaplan et al. 2020, arXiv 2001.08361, table 1.
    """
    return 2 * matmul_params + 4 * n_layers * attention_dim * context_tokens


def stage_flop_update(tokens: Quantity, repeats_count: Quantity, training_flop_per_token: Quantity) -> Quantity:
    """FLOP of a stage that updates every weight on every token: pretraining, long context, annealing, SFT, reward model.

    Every token counts, masked in the loss or not. Leaves out evaluation, restarts and lost work (goodput).

    stage_flop_update = tokens * repeats_count * training_flop_per_token

    Parameters
    ----------
    tokens : float or array
        Tokens of one pass over the data, >= 0.
    repeats_count : float or array
        Passes (epochs), > 0.
    training_flop_per_token : float or array
        FLOP per token at the stage's sequence length, > 0.

    References
    ----------
    .. [1] Hoffmann et al. 2022, arXiv 2203.15556, appendix F.
    """
    return tokens * repeats_count * training_flop_per_token


def preference_flop(
    tokens: Quantity, repeats_count: Quantity, training_flop_per_token: Quantity, reference_passes_count: Quantity
) -> Quantity:
    """FLOP of direct preference optimization and its kin: policy trained, reference only read.

    A forward pass is a third of training. Leaves out sampling the pairs (a synthetic stage).

    preference_flop = tokens * repeats_count * training_flop_per_token * (1 + reference_passes_count / 3)

    Parameters
    ----------
    tokens : float or array
        Tokens of chosen and rejected answers with their prompts, one pass over the data, >= 0.
    repeats_count : float or array
        Passes (epochs), > 0.
    training_flop_per_token : float or array
        FLOP per token of the policy, > 0; the reference is as large.
    reference_passes_count : float or array
        Reference forward passes per policy update: 1, or 0 when its log-probabilities are cached or unused.

    References
    ----------
    .. [1] Rafailov et al. 2023, "Direct Preference Optimization", arXiv 2305.18290, section 4.
    """
    return tokens * repeats_count * training_flop_per_token * (1 + reference_passes_count / 3)


def rl_flop(
    tokens: Quantity,
    repeats_count: Quantity,
    samples_per_prompt_count: Quantity,
    inner_epochs_count: Quantity,
    generation_flop_per_token: Quantity,
    training_flop_per_token: Quantity,
    reference_passes_count: Quantity,
    reward_params: Quantity,
    value_params: Quantity,
) -> Quantity:
    """FLOP of reinforcement learning (PPO, GRPO): rollouts, reference, reward, value and policy on every sample.

    Leaves out prefill of the prompts, recomputed log-probabilities of the old policy, the value model's own
    forward pass over the rollouts, the attention core of reward and value models, and verifiers that run no model.

    rl_flop = tokens * repeats_count * samples_per_prompt_count * (generation_flop_per_token + training_flop_per_token * (inner_epochs_count + reference_passes_count / 3) + 2 * reward_params + 6 * value_params * inner_epochs_count)

    Parameters
    ----------
    tokens : float or array
        Generated tokens, one sample per prompt, one pass over the prompts, >= 0.
    repeats_count : float or array
        Passes over the prompts, > 0.
    samples_per_prompt_count : float or array
        Answers sampled per prompt (the group of GRPO), >= 1.
    inner_epochs_count : float or array
        Updates on each sample, >= 1; policy and value model alike.
    generation_flop_per_token, training_flop_per_token : float or array
        FLOP per token of the policy, > 0.
    reference_passes_count : float or array
        Reference forward passes per sample, 0 or 1.
    reward_params, value_params : float or array
        Matmul parameters of the reward and value model, 0 where there is none.

    References
    ----------
    .. [1] Schulman et al. 2017, "Proximal Policy Optimization", arXiv 1707.06347, algorithm 1.
    .. [2] Shao et al. 2024, "DeepSeekMath" (GRPO), arXiv 2402.03300, section 4.1.
    """
    policy_and_reference = training_flop_per_token * (inner_epochs_count + reference_passes_count / 3)
    others = 2 * reward_params + 6 * value_params * inner_epochs_count
    per_token = generation_flop_per_token + policy_and_reference + others
    return tokens * repeats_count * samples_per_prompt_count * per_token


def synthetic_flop(
    tokens: Quantity, repeats_count: Quantity, kept_share: Quantity, forward_flop_per_token: Quantity
) -> Quantity:
    """FLOP to generate synthetic data, discarded samples included.

    Leaves out reading the prompts and scoring by another model.

    synthetic_flop = tokens * repeats_count / kept_share * forward_flop_per_token

    Parameters
    ----------
    tokens : float or array
        Tokens that were kept, >= 0.
    repeats_count : float or array
        How often the whole set was generated, > 0.
    kept_share : float or array
        Share of the generated tokens that was kept, > 0 and <= 1.
    forward_flop_per_token : float or array
        FLOP per generated token of the generating model, > 0.

    References
    ----------
    .. [1] European Commission 2025, Guidelines on the scope of obligations for general-purpose AI models,
       C(2025) 5045, annex (synthetic data counts, discarded data included).
    """
    return tokens * repeats_count / kept_share * forward_flop_per_token


def distillation_flop(
    tokens: Quantity, repeats_count: Quantity, training_flop_per_token: Quantity, teacher_params: Quantity
) -> Quantity:
    """FLOP of distillation: the student trained, the teacher read on every token.

    Leaves out the teacher's attention core and its own training.

    distillation_flop = tokens * repeats_count * (training_flop_per_token + 2 * teacher_params)

    Parameters
    ----------
    tokens : float or array
        Tokens of one pass over the data, >= 0.
    repeats_count : float or array
        Passes (epochs), > 0.
    training_flop_per_token : float or array
        FLOP per token of the student, > 0.
    teacher_params : float or array
        Matmul (active) parameters of the teacher; 0 when its logits were stored by an earlier stage.

    References
    ----------
    .. [1] Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, section 2.
    """
    return tokens * repeats_count * (training_flop_per_token + 2 * teacher_params)


def lora_flop(
    tokens: Quantity, repeats_count: Quantity, matmul_flop_per_token: Quantity, attention_flop_per_token: Quantity
) -> Quantity:
    """FLOP executed when low-rank adapters are trained: about 4 per frozen matmul parameter and token.

    Frozen matrices need no weight gradient, so two of three passes remain; the attention core has no
    weights and keeps all three. Leaves out the adapters themselves (about their share of the
    parameters) and dequantization.

    lora_flop = tokens * repeats_count * (matmul_flop_per_token * 2 / 3 + attention_flop_per_token)

    Parameters
    ----------
    tokens : float or array
        Tokens of one pass over the data, >= 0.
    repeats_count : float or array
        Passes (epochs), > 0.
    matmul_flop_per_token, attention_flop_per_token : float or array
        FLOP per token as if every weight were trained, >= 0.

    References
    ----------
    .. [1] Hu et al. 2021, "LoRA", arXiv 2106.09685, section 4.
    """
    return tokens * repeats_count * (matmul_flop_per_token * 2 / 3 + attention_flop_per_token)


def evaluation_flop(tokens: Quantity, repeats_count: Quantity, forward_flop_per_token: Quantity) -> Quantity:
    """FLOP of evaluating a model: forward passes only, outside the count of training compute.

    evaluation_flop = tokens * repeats_count * forward_flop_per_token

    Parameters
    ----------
    tokens : float or array
        Tokens read and generated in one evaluation, >= 0.
    repeats_count : float or array
        Evaluations, > 0.
    forward_flop_per_token : float or array
        FLOP per token of one forward pass, > 0.

    References
    ----------
    .. [1] Kaplan et al. 2020, arXiv 2001.08361, section 2.1.
    """
    return tokens * repeats_count * forward_flop_per_token


def rollout_flop(
    tokens: Quantity,
    repeats_count: Quantity,
    samples_per_prompt_count: Quantity,
    generation_flop_per_token: Quantity,
) -> Quantity:
    """FLOP of the generated part of reinforcement learning: every sampled token, kept or not.

    Leaves out prefill of the prompts.

    rollout_flop = tokens * repeats_count * samples_per_prompt_count * generation_flop_per_token

    Parameters
    ----------
    tokens : float or array
        Generated tokens, one sample per prompt, one pass over the prompts, >= 0.
    repeats_count : float or array
        Passes over the prompts, > 0.
    samples_per_prompt_count : float or array
        Answers sampled per prompt, >= 1.
    generation_flop_per_token : float or array
        FLOP per generated token of the policy, > 0.

    References
    ----------
    .. [1] Shao et al. 2024, "DeepSeekMath" (GRPO), arXiv 2402.03300, section 4.1.
    """
    return tokens * repeats_count * samples_per_prompt_count * generation_flop_per_token
