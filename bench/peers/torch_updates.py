"""Updates of four offline algorithms in PyTorch, from the papers' equations, as fast as its users make them:
data on the device, fused Adam, foreach averages of targets, nothing read back in the loop.

Modes: eager; compile (torch.compile on the losses); sdpa and sdpa-compile, which are Decision Transformer's with
scaled_dot_product_attention, where eager and compile use nn.MultiheadAttention as CORL's model does.
"""
import math

import common

options = common.arguments(["eager", "compile", "sdpa", "sdpa-compile"])
common.hold_to(options.threads, options.isa)

import torch
from torch import nn
from torch.nn import functional as F

from common import BATCH, CONTEXT, DISCOUNT, DROPOUT, EPISODE, HEADS, HIDDEN, LAYERS, POLYAK, RATE
from common import TRANSITIONS, WIDTH, WINDOWS

torch.set_num_threads(options.threads)
torch.manual_seed(0)
S, A = options.observations, options.actions


def compiled(function):
    return torch.compile(function) if options.mode.endswith("compile") else function


def mlp(*sizes):
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def critic(hidden_layers=2):
    return mlp(S + A, *[HIDDEN] * hidden_layers, 1)


def copy_of(module, make):
    twin = make()
    twin.load_state_dict(module.state_dict())
    return twin.requires_grad_(False)


def adam(*modules, rate=RATE):
    parameters = [p for m in modules for p in (m.parameters() if isinstance(m, nn.Module) else [m])]
    return torch.optim.Adam(parameters, lr=rate, fused=True)


def average(target, source):
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), POLYAK)


def minimize(loss, optimizer):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


data = {k: torch.from_numpy(v) for k, v in common.transitions(S, A).items()}


def batch():
    rows = torch.randint(TRANSITIONS, (BATCH,))
    return [data[k][rows] for k in
            ("observations", "actions", "rewards", "next_observations", "terminals")]


class Iql:
    """Kostrikov et al. 2022, eq. 5 to 7: expectile 0.7, temperature 3."""

    def __init__(self):
        self.v, self.actor = mlp(S, HIDDEN, HIDDEN, 1), mlp(S, HIDDEN, HIDDEN, A)
        self.q = nn.ModuleList([critic(), critic()])
        self.target = copy_of(self.q, lambda: nn.ModuleList([critic(), critic()]))
        self.log_std = nn.Parameter(torch.zeros(A))
        self.of_v, self.of_q = adam(self.v), adam(self.q)
        self.of_actor = adam(self.actor, self.log_std)
        self.value_loss, self.critic_loss = compiled(self.value_loss), compiled(self.critic_loss)
        self.actor_loss = compiled(self.actor_loss)

    def value_loss(self, s, a, next_s):
        with torch.no_grad():
            pairs = torch.cat([s, a], 1)
            q = torch.minimum(self.target[0](pairs), self.target[1](pairs))
            next_v = self.v(next_s).squeeze(1)
        advantage = (q - self.v(s)).squeeze(1)
        loss = (torch.where(advantage < 0, 0.3, 0.7) * advantage.square()).mean()
        return loss, advantage.detach(), next_v

    def critic_loss(self, s, a, r, done, next_v):
        target = r + DISCOUNT * (1 - done) * next_v
        pairs = torch.cat([s, a], 1)
        return sum(F.mse_loss(q(pairs).squeeze(1), target) for q in self.q) / 2

    def actor_loss(self, s, a, advantage):
        weight = (3.0 * advantage).exp().clamp(max=100.0)
        mean, log_std = torch.tanh(self.actor(s)), self.log_std.clamp(-20, 2)
        log_prob = (-0.5 * ((a - mean) * (-log_std).exp()).square() - log_std
                    - 0.5 * math.log(2 * math.pi)).sum(1)
        return (weight * -log_prob).mean()

    def update(self, _):
        s, a, r, next_s, done = batch()
        loss, advantage, next_v = self.value_loss(s, a, next_s)
        minimize(loss, self.of_v)
        minimize(self.critic_loss(s, a, r, done, next_v), self.of_q)
        average(self.target, self.q)
        minimize(self.actor_loss(s, a, advantage), self.of_actor)
        return loss.detach()


class Td3Bc:
    """Fujimoto and Gu 2021, eq. 3 and 5, on TD3: the actor steps every second update."""

    def __init__(self):
        make_actor = lambda: mlp(S, HIDDEN, HIDDEN, A)
        make_critics = lambda: nn.ModuleList([critic(), critic()])
        self.actor, self.q = make_actor(), make_critics()
        self.target_actor, self.target = copy_of(self.actor, make_actor), copy_of(self.q, make_critics)
        self.of_q, self.of_actor = adam(self.q), adam(self.actor)
        self.critic_loss, self.actor_loss = compiled(self.critic_loss), compiled(self.actor_loss)

    def critic_loss(self, s, a, r, next_s, done):
        with torch.no_grad():
            noise = (0.2 * torch.randn_like(a)).clamp(-0.5, 0.5)
            next_a = (torch.tanh(self.target_actor(next_s)) + noise).clamp(-1, 1)
            pairs = torch.cat([next_s, next_a], 1)
            q = torch.minimum(self.target[0](pairs), self.target[1](pairs)).squeeze(1)
            target = r + DISCOUNT * (1 - done) * q
        pairs = torch.cat([s, a], 1)
        return sum(F.mse_loss(q(pairs).squeeze(1), target) for q in self.q)

    def actor_loss(self, s, a):
        actions = torch.tanh(self.actor(s))
        q = self.q[0](torch.cat([s, actions], 1))
        return F.mse_loss(actions, a) - 2.5 / q.abs().mean().detach() * q.mean()

    def update(self, k):
        s, a, r, next_s, done = batch()
        loss = self.critic_loss(s, a, r, next_s, done)
        minimize(loss, self.of_q)
        if k % 2:
            # The critic is passed through, not trained.
            self.q.requires_grad_(False)
            minimize(self.actor_loss(s, a), self.of_actor)
            self.q.requires_grad_(True)
            average(self.target, self.q)
            average(self.target_actor, self.actor)
        return loss.detach()


class Cql:
    """Kumar et al. 2020, eq. 4 (CQL(H)) with importance weights, on SAC; three hidden layers, ten actions of each
    source. All 31 actions of a state are one pass of each critic."""

    N = 10

    def __init__(self):
        make_critics = lambda: nn.ModuleList([critic(3), critic(3)])
        self.q = make_critics()
        self.target = copy_of(self.q, make_critics)
        self.actor = mlp(S, HIDDEN, HIDDEN, HIDDEN, 2 * A)
        self.log_alpha = nn.Parameter(torch.zeros(()))
        self.of_q, self.of_actor, self.of_alpha = adam(self.q), adam(self.actor), adam(self.log_alpha)
        self.actor_losses, self.critic_loss = compiled(self.actor_losses), compiled(self.critic_loss)

    def sample(self, head, n=None):
        mean, log_std = head.chunk(2, 1)
        log_std = (log_std - 1).clamp(-20, 2)
        if n:
            mean, log_std = (x.unsqueeze(1).expand(-1, n, -1) for x in (mean, log_std))
        noise = torch.randn_like(mean)
        x = mean + log_std.exp() * noise
        log_prob = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        log_prob = log_prob - 2 * (math.log(2) - x - F.softplus(-2 * x))
        return torch.tanh(x), log_prob.sum(-1)

    def actor_losses(self, s):
        head = self.actor(s)
        actions, log_prob = self.sample(head)
        alpha_loss = -(self.log_alpha * (log_prob.detach() - A)).mean()
        pairs = torch.cat([s, actions], 1)
        q = torch.minimum(self.q[0](pairs), self.q[1](pairs)).squeeze(1)
        return (self.log_alpha.exp().detach() * log_prob - q).mean(), alpha_loss

    def critic_loss(self, s, a, r, next_s, done):
        with torch.no_grad():
            head, next_head = self.actor(s), self.actor(next_s)
            next_a, _ = self.sample(next_head)
            pairs = torch.cat([next_s, next_a], 1)
            q = torch.minimum(self.target[0](pairs), self.target[1](pairs)).squeeze(1)
            target = r + DISCOUNT * (1 - done) * q
            uniform = 2 * torch.rand(BATCH, self.N, A) - 1
            (now, now_p), (then, then_p) = self.sample(head, self.N), self.sample(next_head, self.N)
            density = torch.cat([torch.full((BATCH, self.N), A * math.log(0.5)), then_p, now_p], 1)
            actions = torch.cat([a.unsqueeze(1), uniform, then, now], 1)
            pairs = torch.cat([s.unsqueeze(1).expand(-1, 3 * self.N + 1, -1), actions], 2)
            pairs = pairs.reshape(-1, S + A)
        loss = 0
        for q in self.q:
            values = q(pairs).view(BATCH, -1)
            gap = torch.logsumexp(values[:, 1:] - density, 1) - values[:, 0]
            loss = loss + F.mse_loss(values[:, 0], target) + 10 * gap.mean()
        return loss

    def update(self, _):
        s, a, r, next_s, done = batch()
        self.q.requires_grad_(False)
        actor_loss, alpha_loss = self.actor_losses(s)
        # Each loss reaches its own parameters alone: one backward pass for both.
        self.of_alpha.zero_grad(set_to_none=True)
        self.of_actor.zero_grad(set_to_none=True)
        (actor_loss + alpha_loss).backward()
        self.of_alpha.step()
        self.of_actor.step()
        self.q.requires_grad_(True)
        loss = self.critic_loss(s, a, r, next_s, done)
        minimize(loss, self.of_q)
        average(self.target, self.q)
        return loss.detach()


class Block(nn.Module):
    """Pre-norm block of a causal transformer (Vaswani et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.fused = options.mode.startswith("sdpa")
        if self.fused:
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        else:
            self.attention = nn.MultiheadAttention(WIDTH, HEADS, DROPOUT, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH),
                                 nn.Dropout(DROPOUT))
        self.drop = nn.Dropout(DROPOUT)
        tokens = 3 * CONTEXT
        self.register_buffer("causal", ~torch.tril(torch.ones(tokens, tokens, dtype=torch.bool)))

    def attend(self, x, padding):
        if not self.fused:
            return self.attention(x, x, x, attn_mask=self.causal, key_padding_mask=padding)[0]
        B, T, _ = x.shape
        q, k, v = (y.view(B, T, HEADS, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, 2))
        mask = ~(self.causal | padding[:, None, None, :])
        y = F.scaled_dot_product_attention(q, k, v, mask, DROPOUT)
        return self.out(y.transpose(1, 2).reshape(B, T, WIDTH))

    def forward(self, x, padding):
        x = x + self.drop(self.attend(self.norm1(x), padding))
        return x + self.mlp(self.norm2(x))


class DecisionTransformer(nn.Module):
    """Chen et al. 2021, section 3."""

    def __init__(self):
        super().__init__()
        self.returns, self.observations = nn.Linear(1, WIDTH), nn.Linear(S, WIDTH)
        self.actions, self.time = nn.Linear(A, WIDTH), nn.Embedding(EPISODE + CONTEXT, WIDTH)
        self.norm, self.drop, self.last = nn.LayerNorm(WIDTH), nn.Dropout(DROPOUT), nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.head = nn.Linear(WIDTH, A)

    def forward(self, g, s, a, t, padding):
        time = self.time(t)
        parts = [self.returns(g.unsqueeze(2)) + time, self.observations(s) + time, self.actions(a) + time]
        x = self.drop(self.norm(torch.stack(parts, 2).view(len(s), 3 * CONTEXT, WIDTH)))
        padding = padding.repeat_interleave(3, 1)
        for block in self.blocks:
            x = block(x, padding)
        return torch.tanh(self.head(self.last(x)[:, 1::3]))


class Dt:
    def __init__(self):
        self.model = DecisionTransformer()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=1e-4, fused=True)
        self.loss = compiled(self.loss)

    def loss(self, rows, mask):
        # Past an episode's end the row's values are another's; the mask leaves them out.
        g, s, a, t = (data[k][rows] for k in ("returns_to_go", "observations", "actions", "timesteps"))
        predicted = self.model(g, s, a, t, ~mask)
        return ((predicted - a).square() * mask.unsqueeze(2)).mean()

    def update(self, _):
        starts = torch.randint(TRANSITIONS - CONTEXT, (WINDOWS, 1))
        rows = starts + torch.arange(CONTEXT)
        mask = starts % EPISODE + torch.arange(CONTEXT) < EPISODE
        loss = self.loss(rows, mask)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.25, foreach=True)
        self.optimizer.step()
        return loss.detach()


algorithm = {"iql": Iql, "td3bc": Td3Bc, "cql": Cql, "dt": Dt}[options.algorithm]()
last = torch.zeros(())


def run(k):
    global last
    for i in range(k):
        last = algorithm.update(i)


common.serve(run, lambda: last.item(), unit=2)
