"""What people would use instead of mmsold, written from the formulas as a user of each library would.

    peers.py WORKLOAD TRAINING.h5 [PEER ...]      one line of names and numbers for each peer
    peers.py points WORKLOAD TRAINING.h5 OUT.npy  particles as at a start, for `mmsold evaluate`
    peers.py accuracy WORKLOAD TRAINING.h5 EVALUATED.h5
                                                  a Markdown row for each: error of grad U at these points, no smoothing

WORKLOAD is a name of `WORKLOADS` below; TRAINING.h5 is what `mmsold prepare` wrote for its configuration. Times are medians
over steps after warming up, wall clock and processor time of the whole process (all its threads). run by peers.sh.
"""
import os
import sys
import time

import h5py
import numpy as np

# Symbols as in the paper: bandwidth δ, smoothing σ, M draws, h the step size, P particles, K nearest and L others.
WORKLOADS = {
    "W1": dict(P=20000, delta=0.02, sigma=0.05, M=8, h=5e-4, chunk=500),
    "W2": dict(P=300, delta=0.03, sigma=0.5, M=32, h=5e-4, chunk=60),
    "W3": dict(P=3000, delta=0.05, sigma=3.0, M=2, h=5e-4, chunk=300),
    "W3k": dict(P=3000, delta=0.05, sigma=3.0, M=2, h=5e-4, chunk=300, K=50, L=50),
}


def spread(values):
    middle = float(np.median(values))
    quartiles = np.quantile(values, [0.25, 0.75])
    return middle, 50 * (quartiles[1] - quartiles[0]) / middle


def timed(name, call, repeats):
    """Warm up (compilation too), then `repeats` calls one after another."""
    for _ in range(2):
        call()
    wall, cpu = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    (w, w_spread), (c, c_spread) = spread(wall), spread(cpu)
    print(f"peer {name} wall_ms {1e3 * w:.4g} wall_spread {w_spread:.0f} cpu_ms {1e3 * c:.4g} cpu_spread {c_spread:.0f}",
          flush=True)


def target(X, delta):
    mean = X.mean(0)
    covariance = (X - mean).T @ (X - mean) / len(X) + delta**2 * np.eye(X.shape[1])
    return mean, np.linalg.cholesky(covariance)


def start(X, w, seed=0):
    """Y on the manifold, as float64."""
    rng = np.random.default_rng(seed)
    mean, L = target(X, w["delta"])
    Z = X[rng.integers(len(X), size=w["P"])] + w["delta"] * rng.standard_normal((w["P"], X.shape[1]))
    Y = np.linalg.solve(L, (Z - mean).T).T
    Y -= Y.mean(0)
    return Y @ np.linalg.inv(np.linalg.cholesky(Y.T @ Y / len(Y))).T


def jax_step(X, w, repeats):
    """The whole step (Leimkuhler-Matthews, projection, QR retraction), jit, float32, log-sum-exp form, M/2 antithetic pairs
    fresh for each particle, `chunk` particles at a time so that P x n x M is never held at once."""
    import jax
    import jax.numpy as jnp

    mean, L = (jnp.asarray(a, jnp.float32) for a in target(X, w["delta"]))
    points, delta, sigma, h = jnp.asarray(X, jnp.float32), w["delta"], w["sigma"], w["h"]
    P, M, K = w["P"], w["M"], w.get("K", 0)
    norms = 0.5 * (points**2).sum(1)

    def neighbours(z, key):
        """The paper's Algorithm 2: K nearest exactly, L of the others with log weight log((n - K)/L)."""
        n, others = len(points), w["L"]
        score = z @ points.T - norms
        _, nearest = jax.lax.top_k(score, K)
        remaining = score.at[nearest].set(-jnp.inf)
        noise = jnp.where(jnp.isinf(remaining), -jnp.inf, jax.random.gumbel(key, (n,)))
        _, random = jax.lax.top_k(noise, others)
        chosen = jnp.concatenate([nearest, random])
        extra = jnp.concatenate([jnp.zeros(K), jnp.full(others, jnp.log((n - K) / others))])
        return points[chosen], norms[chosen], extra

    def gradient(z, key):
        noise_key, choice_key = jax.random.split(key)
        half = jax.random.normal(noise_key, (M // 2, z.shape[0]))
        q = z + sigma * jnp.concatenate([half, -half])
        x, x_norms, extra = neighbours(z, choice_key) if K else (points, norms, 0.0)
        logits = (q @ x.T - x_norms) / delta**2 + extra
        weights = jnp.exp(logits - jax.scipy.special.logsumexp(logits, axis=1, keepdims=True))
        return ((q - weights @ x) / delta**2).mean(0)

    def project(Y, A):
        B = Y.T @ A / P
        return A - Y @ (0.5 * (B + B.T))

    @jax.jit
    def step(Y, previous, key):
        field_key, noise_key, next_key = jax.random.split(key, 3)
        Z = mean + Y @ L.T
        keys = jax.random.split(field_key, P)
        G = jax.lax.map(lambda a: jax.vmap(gradient)(*a),
                        (Z.reshape(-1, w["chunk"], Z.shape[1]), keys.reshape(-1, w["chunk"], *keys.shape[1:])))
        G = G.reshape(Z.shape) @ L
        xi = jax.random.normal(noise_key, Y.shape)
        Y = Y - h * project(Y, G) + jnp.sqrt(h / 2) * (project(Y, previous) + project(Y, xi))
        Y = Y - Y.mean(0)
        Q, R = jnp.linalg.qr(Y)
        return Q * jnp.sign(jnp.diag(R)) * jnp.sqrt(P), xi, next_key

    state = (jnp.asarray(start(X, w), jnp.float32), jnp.zeros((P, X.shape[1])), jax.random.PRNGKey(0))

    def call():
        nonlocal state
        state = jax.block_until_ready(step(*state))

    timed("jax_step", call, repeats)


def sdpa_field(X, w, repeats):
    """PyTorch's attention: queries z ± σε over the keys x_i, with −|x|²/2 folded in as an extra key column. The field
    alone, noise included, no Langevin step."""
    import torch

    P, M, d = w["P"], w["M"], X.shape[1]
    mean, L = target(X, w["delta"])
    Z = torch.tensor(mean + start(X, w) @ L.T, dtype=torch.float32)
    x = torch.tensor(X, dtype=torch.float32)
    keys = torch.cat([x, -0.5 * (x**2).sum(1, keepdim=True)], 1)[None]
    values = x[None]

    def call():
        half = torch.randn(M // 2, P, d)
        q = (Z + w["sigma"] * torch.cat([half, -half])).reshape(M * P, d)
        q = torch.cat([q, torch.ones(M * P, 1)], 1)[None]
        k = torch.nn.functional.scaled_dot_product_attention(q, keys, values, scale=1 / w["delta"]**2)
        return (Z - k.reshape(M, P, d).mean(0)) / w["delta"]**2

    timed("sdpa_field", call, repeats)


def keops_field(X, w, repeats):
    """KeOps' lazy tensors: the same field as a symbolic softmax reduction."""
    import torch
    from pykeops.torch import LazyTensor

    P, M, d = w["P"], w["M"], X.shape[1]
    mean, L = target(X, w["delta"])
    Z = torch.tensor(mean + start(X, w) @ L.T, dtype=torch.float32)
    x = torch.tensor(X, dtype=torch.float32)
    x_j = LazyTensor(x[None, :, :])

    def call():
        half = torch.randn(M // 2, P, d)
        q = (Z + w["sigma"] * torch.cat([half, -half])).reshape(M * P, d)
        logits = -((LazyTensor(q[:, None, :]) - x_j)**2).sum(-1) / (2 * w["delta"]**2)
        return (Z - logits.sumsoftmaxweight(x_j, axis=1).reshape(M, P, d).mean(0)) / w["delta"]**2

    timed("keops_field", call, repeats)


def faiss_search(X, w, repeats):
    """FAISS, flat index: the K nearest training points of every particle; the search alone."""
    import faiss

    mean, L = target(X, w["delta"])
    Z = (mean + start(X, w) @ L.T).astype(np.float32)
    index = faiss.IndexFlatL2(X.shape[1])
    index.add(X.astype(np.float32))
    timed("faiss_search", lambda: index.search(Z, w["K"]), repeats)


def ckdtree_search(X, w, repeats):
    """SciPy's cKDTree: the 32 nearest training points of every particle, one for each weight that may matter."""
    from scipy.spatial import cKDTree

    mean, L = target(X, w["delta"])
    Z = mean + start(X, w) @ L.T
    tree = cKDTree(X)
    timed("ckdtree_search", lambda: tree.query(Z, k=32, workers=len(os.sched_getaffinity(0))), repeats)


def some_points(X, w, count=512):
    rng = np.random.default_rng(1)
    return X[rng.integers(len(X), size=count)] + w["delta"] * rng.standard_normal((count, X.shape[1]))


def oracle(X, Z, delta):
    """grad U in double, from the differences themselves."""
    gradient = np.empty_like(Z)
    for i, z in enumerate(Z):
        difference = z - X
        logits = -(difference**2).sum(1) / (2 * delta**2)
        weights = np.exp(logits - logits.max())
        gradient[i] = (weights @ difference) / weights.sum() / delta**2
    return gradient


def accuracy(name, X, w, evaluated):
    """Largest error of grad U over the largest gradient of the batch: what single precision costs, the same formulas as in
    the timed functions; and mmsold's own."""
    import jax
    import jax.numpy as jnp
    import torch

    with h5py.File(evaluated) as file:
        Z, ours = file["points"][:], file["grad_U"][:]
    delta, exact = w["delta"], oracle(X, Z, w["delta"])
    points = jnp.asarray(X, jnp.float32)
    norms = 0.5 * (points**2).sum(1)

    @jax.jit
    def jax_gradient(q):
        logits = (q @ points.T - norms) / delta**2
        weights = jnp.exp(logits - jax.scipy.special.logsumexp(logits, axis=1, keepdims=True))
        return (q - weights @ points) / delta**2

    x, q = torch.tensor(X, dtype=torch.float32), torch.tensor(Z, dtype=torch.float32)
    keys = torch.cat([x, -0.5 * (x**2).sum(1, keepdim=True)], 1)[None]
    queries = torch.cat([q, torch.ones(len(q), 1)], 1)[None]
    mean = torch.nn.functional.scaled_dot_product_attention(queries, keys, x[None], scale=1 / delta**2)[0]
    rows = {"mmsold": ours, "JAX, float32": np.asarray(jax_gradient(jnp.asarray(Z, jnp.float32))),
            "SDPA, float32": ((q - mean) / delta**2).numpy()}
    for program, gradient in rows.items():
        error = np.abs(gradient - exact).max(1)
        print(f"| {name} | {program} | {error.max() / np.abs(exact).max():.1e} | {np.median(error) / np.abs(exact).max():.1e} |")


PEERS = {
    "W1": [jax_step, sdpa_field, keops_field, ckdtree_search],
    "W2": [jax_step, sdpa_field, keops_field],
    "W3": [jax_step, sdpa_field],
    "W3k": [jax_step, faiss_search],
}


def main():
    if len(sys.argv) == 5 and sys.argv[1] in ("points", "accuracy") and sys.argv[2] in WORKLOADS:
        with h5py.File(sys.argv[3]) as file:
            X = file["training"][:]
        if sys.argv[1] == "points":
            np.save(sys.argv[4], some_points(X, WORKLOADS[sys.argv[2]]))
        else:
            accuracy(sys.argv[2], X, WORKLOADS[sys.argv[2]], sys.argv[4])
        return
    if len(sys.argv) < 3 or sys.argv[1] not in WORKLOADS:
        sys.exit(__doc__)
    name, wanted = sys.argv[1], sys.argv[3:]
    with h5py.File(sys.argv[2]) as file:
        X = file["training"][:]
    for peer in PEERS[name]:
        if wanted and peer.__name__ not in wanted:
            continue
        peer(X, WORKLOADS[name], 3 if name.startswith("W3") else 7)


if __name__ == "__main__":
    main()
