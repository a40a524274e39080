"""Updates of four offline algorithms in JAX, from the papers' equations, as fast as its users make them: one jitted
function per update with its state donated, batches drawn on the device, nothing read back in the loop.

Modes: jit (a call per update), scan (many updates in one call).
"""
import math
from functools import partial

import common

options = common.arguments(["jit", "scan"])
common.hold_to(options.threads, options.isa)

import jax
import jax.numpy as jnp

from common import BATCH, CONTEXT, DISCOUNT, DROPOUT, EPISODE, HEADS, HIDDEN, LAYERS, POLYAK, RATE
from common import TRANSITIONS, WIDTH, WINDOWS

jax.config.update("jax_default_prng_impl", "rbg")  # quicker than the default where masks are large
S, A = options.observations, options.actions
data = {k: jnp.asarray(v) for k, v in common.transitions(S, A).items()}
SCANNED = 20


def layer(key, i, o):
    bound = 1 / math.sqrt(i)
    w, b = jax.random.split(key)
    return {"w": jax.random.uniform(w, (i, o), minval=-bound, maxval=bound),
            "b": jax.random.uniform(b, (o,), minval=-bound, maxval=bound)}


def affine(p, x):
    return x @ p["w"] + p["b"]


def make_mlp(key, *sizes):
    keys = jax.random.split(key, len(sizes) - 1)
    return [layer(k, i, o) for k, i, o in zip(keys, sizes, sizes[1:])]


def mlp(layers, x):
    for p in layers[:-1]:
        x = jax.nn.relu(affine(p, x))
    return affine(layers[-1], x)


def make_critics(key, hidden_layers=2):
    return [make_mlp(k, S + A, *[HIDDEN] * hidden_layers, 1) for k in jax.random.split(key)]


def both(critics, s, a):
    pairs = jnp.concatenate([s, a], -1)
    return [mlp(q, pairs)[..., 0] for q in critics]


def new_adam(parameters):
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return {"m": zeros(parameters), "v": zeros(parameters), "t": jnp.zeros((), jnp.int32)}


def adam(parameters, gradients, state, rate=RATE, decay=0.0):
    """Kingma and Ba 2015, algorithm 1; decay as in Loshchilov and Hutter 2019."""
    t = state["t"] + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state["v"], gradients)
    size, root = rate / (1 - 0.9**t), jax.lax.rsqrt(1 - 0.999**t)
    new = jax.tree.map(lambda p, m, v: p * (1 - rate * decay) - size * m / (jnp.sqrt(v) * root + 1e-8),
                       parameters, m, v)
    return new, {"m": m, "v": v, "t": t}


def average(target, source):
    return jax.tree.map(lambda t, s: t + POLYAK * (s - t), target, source)


def batch(key):
    rows = jax.random.randint(key, (BATCH,), 0, TRANSITIONS)
    return [data[k][rows] for k in
            ("observations", "actions", "rewards", "next_observations", "terminals")]


def square_error(a, b):
    return jnp.mean((a - b) ** 2)


class Iql:
    """Kostrikov et al. 2022, eq. 5 to 7: expectile 0.7, temperature 3."""

    period = 1

    def first(self, key):
        v, q, actor = jax.random.split(key, 3)
        state = {"v": make_mlp(v, S, HIDDEN, HIDDEN, 1), "q": make_critics(q),
                 "actor": {"mlp": make_mlp(actor, S, HIDDEN, HIDDEN, A), "log_std": jnp.zeros(A)}}
        state |= {f"of_{k}": new_adam(state[k]) for k in ("v", "q", "actor")}
        return state | {"target": jax.tree.map(jnp.copy, state["q"])}

    def update(self, x, key, _):
        s, a, r, next_s, done = batch(key)
        next_v = mlp(x["v"], next_s)[:, 0]
        judged = jnp.minimum(*both(x["target"], s, a))

        def value_loss(v):
            advantage = judged - mlp(v, s)[:, 0]
            return jnp.mean(jnp.where(advantage < 0, 0.3, 0.7) * advantage**2), advantage

        (loss, advantage), g = jax.value_and_grad(value_loss, has_aux=True)(x["v"])
        v, of_v = adam(x["v"], g, x["of_v"])
        goal = r + DISCOUNT * (1 - done) * next_v

        def critic_loss(q):
            return sum(square_error(value, goal) for value in both(q, s, a)) / 2

        q, of_q = adam(x["q"], jax.grad(critic_loss)(x["q"]), x["of_q"])
        weight = jnp.minimum(jnp.exp(3.0 * advantage), 100.0)

        def actor_loss(actor):
            mean, log_std = jnp.tanh(mlp(actor["mlp"], s)), jnp.clip(actor["log_std"], -20, 2)
            log_prob = -0.5 * ((a - mean) * jnp.exp(-log_std)) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
            return jnp.mean(-weight * log_prob.sum(1))

        actor, of_actor = adam(x["actor"], jax.grad(actor_loss)(x["actor"]), x["of_actor"])
        return {"v": v, "q": q, "actor": actor, "of_v": of_v, "of_q": of_q, "of_actor": of_actor,
                "target": average(x["target"], q)}, loss


class Td3Bc:
    """Fujimoto and Gu 2021, eq. 3 and 5, on TD3: the actor steps every second update."""

    period = 2

    def first(self, key):
        q, actor = jax.random.split(key)
        state = {"q": make_critics(q), "actor": make_mlp(actor, S, HIDDEN, HIDDEN, A)}
        state |= {f"of_{k}": new_adam(state[k]) for k in ("q", "actor")}
        return state | {f"target_{k}": jax.tree.map(jnp.copy, state[k]) for k in ("q", "actor")}

    def update(self, x, key, place):
        rows, noise = jax.random.split(key)
        s, a, r, next_s, done = batch(rows)
        noise = jnp.clip(0.2 * jax.random.normal(noise, a.shape), -0.5, 0.5)
        next_a = jnp.clip(jnp.tanh(mlp(x["target_actor"], next_s)) + noise, -1, 1)
        goal = r + DISCOUNT * (1 - done) * jnp.minimum(*both(x["target_q"], next_s, next_a))

        def critic_loss(q):
            return sum(square_error(value, goal) for value in both(q, s, a))

        loss, g = jax.value_and_grad(critic_loss)(x["q"])
        q, of_q = adam(x["q"], g, x["of_q"])
        x = x | {"q": q, "of_q": of_q}
        if place == 0:
            return x, loss

        def actor_loss(actor):
            actions = jnp.tanh(mlp(actor, s))
            value = mlp(q[0], jnp.concatenate([s, actions], 1))
            scale = 2.5 / jax.lax.stop_gradient(jnp.mean(jnp.abs(value)))
            return square_error(actions, a) - scale * jnp.mean(value)

        actor, of_actor = adam(x["actor"], jax.grad(actor_loss)(x["actor"]), x["of_actor"])
        return x | {"actor": actor, "of_actor": of_actor, "target_q": average(x["target_q"], q),
                    "target_actor": average(x["target_actor"], actor)}, loss


class Cql:
    """Kumar et al. 2020, eq. 4 (CQL(H)) with importance weights, on SAC; three hidden layers, ten actions of each
    source. All 31 actions of a state are one pass of each critic."""

    period = 1
    N = 10

    def first(self, key):
        q, actor = jax.random.split(key)
        state = {"q": make_critics(q, 3), "actor": make_mlp(actor, S, HIDDEN, HIDDEN, HIDDEN, 2 * A),
                 "log_alpha": jnp.zeros(())}
        state |= {f"of_{k}": new_adam(state[k]) for k in ("q", "actor", "log_alpha")}
        return state | {"target": jax.tree.map(jnp.copy, state["q"])}

    def sample(self, key, head, n=None):
        mean, log_std = jnp.split(head, 2, 1)
        log_std = jnp.clip(log_std - 1, -20, 2)
        if n:
            mean, log_std = mean[:, None], log_std[:, None]
        noise = jax.random.normal(key, (BATCH, n, A) if n else (BATCH, A))
        x = mean + jnp.exp(log_std) * noise
        log_prob = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        log_prob -= 2 * (math.log(2) - x - jax.nn.softplus(-2 * x))
        return jnp.tanh(x), log_prob.sum(-1)

    def update(self, x, key, _):
        rows, k0, k1, k2, k3, k4 = jax.random.split(key, 6)
        s, a, r, next_s, done = batch(rows)

        def actor_losses(learned):
            actor, log_alpha = learned
            head = mlp(actor, s)
            actions, log_prob = self.sample(k0, head)
            alpha_loss = -jnp.mean(log_alpha * (jax.lax.stop_gradient(log_prob) - A))
            value = jnp.minimum(*both(x["q"], s, actions))
            alpha = jax.lax.stop_gradient(jnp.exp(log_alpha))
            return jnp.mean(alpha * log_prob - value) + alpha_loss, head

        learned = x["actor"], x["log_alpha"]
        (of_the_actor, of_alpha), head = jax.grad(actor_losses, has_aux=True)(learned)
        next_head = mlp(x["actor"], next_s)
        next_a, _ = self.sample(k1, next_head)
        goal = r + DISCOUNT * (1 - done) * jnp.minimum(*both(x["target"], next_s, next_a))
        uniform = jax.random.uniform(k2, (BATCH, self.N, A), minval=-1, maxval=1)
        (now, now_p), (then, then_p) = self.sample(k3, head, self.N), self.sample(k4, next_head, self.N)
        density = jnp.concatenate([jnp.full((BATCH, self.N), A * math.log(0.5)), then_p, now_p], 1)
        actions = jnp.concatenate([a[:, None], uniform, then, now], 1)
        states = jnp.broadcast_to(s[:, None], (BATCH, 3 * self.N + 1, S))

        def critic_loss(q):
            loss = 0
            for values in both(q, states.reshape(-1, S), actions.reshape(-1, A)):
                values = values.reshape(BATCH, -1)
                gap = jax.nn.logsumexp(values[:, 1:] - density, 1) - values[:, 0]
                loss += square_error(values[:, 0], goal) + 10 * jnp.mean(gap)
            return loss

        loss, g = jax.value_and_grad(critic_loss)(x["q"])
        q, of_q = adam(x["q"], g, x["of_q"])
        actor, of_actor = adam(x["actor"], of_the_actor, x["of_actor"])
        log_alpha, of_log_alpha = adam(x["log_alpha"], of_alpha, x["of_log_alpha"])
        return {"q": q, "actor": actor, "log_alpha": log_alpha, "of_q": of_q, "of_actor": of_actor,
                "of_log_alpha": of_log_alpha, "target": average(x["target"], q)}, loss


def new_norm():
    return {"scale": jnp.ones(WIDTH), "shift": jnp.zeros(WIDTH)}


def norm(p, x):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["scale"] + p["shift"]


def dropout(key, x):
    return jnp.where(jax.random.uniform(key, x.shape) < DROPOUT, 0, x / (1 - DROPOUT))


class Dt:
    """Chen et al. 2021, section 3: pre-norm blocks, gelu, AdamW."""

    period = 1
    causal = jnp.tril(jnp.ones((3 * CONTEXT, 3 * CONTEXT), bool))

    def first(self, key):
        keys = iter(jax.random.split(key, 5 + 4 * LAYERS))
        model = {"returns": layer(next(keys), 1, WIDTH), "observations": layer(next(keys), S, WIDTH),
                 "actions": layer(next(keys), A, WIDTH), "head": layer(next(keys), WIDTH, A),
                 "time": 0.02 * jax.random.normal(next(keys), (EPISODE + CONTEXT, WIDTH)),
                 "norm": new_norm(), "last": new_norm(), "blocks": []}
        for _ in range(LAYERS):
            model["blocks"].append({"norm1": new_norm(), "norm2": new_norm(),
                                    "qkv": layer(next(keys), WIDTH, 3 * WIDTH),
                                    "out": layer(next(keys), WIDTH, WIDTH),
                                    "up": layer(next(keys), WIDTH, 4 * WIDTH),
                                    "down": layer(next(keys), 4 * WIDTH, WIDTH)})
        return {"model": model, "of": new_adam(model)}

    def attend(self, p, x, seen, key):
        B, T, _ = x.shape
        q, k, v = (y.reshape(B, T, HEADS, -1) for y in jnp.split(affine(p["qkv"], x), 3, 2))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(WIDTH // HEADS)
        weights = dropout(key, jax.nn.softmax(jnp.where(seen, scores, -1e9), -1))
        return affine(p["out"], jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(B, T, WIDTH))

    def predict(self, model, g, s, a, t, mask, key):
        keys = iter(jax.random.split(key, 1 + 3 * LAYERS))
        time = model["time"][t]
        parts = [affine(model["returns"], g[..., None]) + time, affine(model["observations"], s) + time,
                 affine(model["actions"], a) + time]
        x = jnp.stack(parts, 2).reshape(len(s), 3 * CONTEXT, WIDTH)
        x = dropout(next(keys), norm(model["norm"], x))
        seen = self.causal & jnp.repeat(mask, 3, 1)[:, None, None, :]
        for p in model["blocks"]:
            x += dropout(next(keys), self.attend(p, norm(p["norm1"], x), seen, next(keys)))
            hidden = jax.nn.gelu(affine(p["up"], norm(p["norm2"], x)), approximate=False)
            x += dropout(next(keys), affine(p["down"], hidden))
        return jnp.tanh(affine(model["head"], norm(model["last"], x[:, 1::3])))

    def update(self, x, key, _):
        first, masks = jax.random.split(key)
        starts = jax.random.randint(first, (WINDOWS, 1), 0, TRANSITIONS - CONTEXT)
        rows = starts + jnp.arange(CONTEXT)
        mask = starts % EPISODE + jnp.arange(CONTEXT) < EPISODE
        g, s, a, t = (data[k][rows] for k in ("returns_to_go", "observations", "actions", "timesteps"))

        def loss_of(model):
            errors = (self.predict(model, g, s, a, t, mask, masks) - a) ** 2
            return jnp.mean(errors * mask[..., None])

        loss, gradients = jax.value_and_grad(loss_of)(x["model"])
        size = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradients)))
        gradients = jax.tree.map(lambda g: g * jnp.minimum(1, 0.25 / (size + 1e-6)), gradients)
        model, of = adam(x["model"], gradients, x["of"], 1e-4, 1e-4)
        return {"model": model, "of": of}, loss


algorithm = {"iql": Iql, "td3bc": Td3Bc, "cql": Cql, "dt": Dt}[options.algorithm]()


def period(carry, _):
    """One update of each kind."""
    state, key = carry
    for place in range(algorithm.period):
        key, of_update = jax.random.split(key)
        state, loss = algorithm.update(state, of_update, place)
    return (state, key), loss


@partial(jax.jit, donate_argnums=(0,), static_argnums=(1,))
def one(carry, place):
    state, key = carry
    key, of_update = jax.random.split(key)
    state, loss = algorithm.update(state, of_update, place)
    return (state, key), loss


@partial(jax.jit, donate_argnums=(0,))
def many(carry):
    carry, losses = jax.lax.scan(period, carry, None, SCANNED // algorithm.period)
    return carry, losses[-1]


key = jax.random.key(0)
carry, last = (jax.jit(algorithm.first)(key), jax.random.key(1)), jnp.zeros(())


def run(k):
    global carry, last
    if options.mode == "scan":
        for _ in range(k // SCANNED):
            carry, last = many(carry)
    else:
        for i in range(k):
            carry, last = one(carry, i % algorithm.period)


common.serve(run, lambda: float(last), unit=SCANNED if options.mode == "scan" else algorithm.period)
