#!/usr/bin/env python3
"""Prints the golden values of docs/reference/method.md, section 9 (G1 to G17).

Independent of the C++ code: numpy in float64, bfloat16 emulated where it says so. Cameras are
camera-to-world, 4 x 4, in RLBench's axes (x left, y up, z forward), focal lengths negative. Chance
enters in one number, the error of the projection in bfloat16 (default_rng(0)). Needs numpy.

    python scripts/make_method_goldens.py
"""

import hashlib
import math

import numpy as np

np.set_printoptions(suppress=True, precision=6, linewidth=150)


def camera(position, left, forward):
    left, forward = np.array(left, float), np.array(forward, float)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = left, np.cross(forward, left), forward
    matrix[:3, 3] = position
    return matrix


COS25, SIN25 = math.cos(math.radians(25)), math.sin(math.radians(25))
FRONT = camera((1.35, 0, 1.58), (0, -1, 0), (-COS25, 0, -SIN25))
OVER = camera((-0.175, 0, 2.43), (0, 1, 0), (SIN25, 0, -COS25))
POSES = {  # xyz, quaternion xyzw (normalised when read), openness
    "P1": ((0.30, 0.05, 1.05), (0.0, 0.9927, 0.0, 0.1209), 1.0),
    "P2": ((0.25, -0.10, 0.95), (0.9577, -0.1989, 0.1526, 0.1419), 0.0),
}
VIEWED = (("P1", "FRONT", FRONT), ("P2", "OVER", OVER))


def bf16(values):
    """Rounded to the nearest bfloat16, ties to even, kept as float32."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def exact(values):
    return np.asarray(values, np.float64)


def intrinsics(size, fov_deg=40.0):
    f = -size / (2 * math.tan(math.radians(fov_deg) / 2))
    return np.array([[f, 0, size / 2], [0, f, size / 2], [0, 0, 1.0]])


def matrix_of(quaternion):
    x, y, z, w = np.array(quaternion, float) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])


def euler_of(rotation):
    """(a, b, c) with rotation = Rz(c) Ry(b) Rx(a)."""
    a = math.atan2(rotation[2, 1], rotation[2, 2])
    c = math.atan2(rotation[1, 0], rotation[0, 0])
    return np.array([a, math.asin(-rotation[2, 0]), c])


def axis_rotations(euler):
    """Rx(a), Ry(b), Rz(c)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(euler), np.sin(euler)
    return (
        np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]]),
        np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]]),
        np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]]),
    )


def action_of(name):
    position, quaternion, openness = POSES[name]
    return np.r_[position, euler_of(matrix_of(quaternion)), openness]


def anchors_px(action, view, k, q=exact, length=0.1):
    """Anchors as u, v and openness (docs/reference/method.md 1.2); q rounds each operation."""
    action, view, k = q(action), q(view), q(k)
    rx, ry, rz = (q(matrix) for matrix in axis_rotations(action[3:6]))
    back = q(view[:3, :3].T)
    offset = q(-q(back @ view[:3, 3]))
    numbers = []
    for axis in ((0, 0, 0), (1, 0, 0), (0, 0, -1)):
        point = action[:3]
        if any(axis):
            direction = q(rz @ q(ry @ q(rx @ np.array(axis, float))))
            point = q(point + q(direction * direction.dtype.type(length)))
        h = q(k @ q(back @ point + offset))
        numbers += [float(q(h[0] / h[2])), float(q(h[1] / h[2]))]
    return np.array(numbers + [float(action[6])])


def gaussian(u, v, size, q=exact):
    s = size * 0.05
    index = q(np.arange(size))
    dx, dy = q(q(index - q(u)) ** 2), q(q(index - q(v)) ** 2)
    return q(np.exp(q(-q(dx[None, :] + dy[:, None]) / (2 * s * s))))


def action_image(anchors, size):
    """[size, size, 3] in [0, 1] (1.3)."""
    image = np.stack([gaussian(anchors[2 * i], anchors[2 * i + 1], size) for i in range(3)], -1)
    blue = image[..., 2]
    blue[blue <= 0.25] = 0.25 if anchors[6] > 0.5 else 0.0
    return image


def rays(relative, k, size):
    """Directions and thirds of moments [size, size, 6] (3.1)."""
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    d = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    d = d @ relative[:3, :3].T
    d = d / (np.linalg.norm(d, axis=-1, keepdims=True) + 1e-8)
    moment = np.cross(np.broadcast_to(relative[:3, 3], d.shape), d)
    return np.concatenate([d, moment / 3.0], -1)


def mask(mode, latent_frames=11, views=2):
    """True where a latent frame is given (2.1)."""
    if mode == "i2a":
        return np.tile(np.r_[True, True, np.zeros(latent_frames - 1, bool)], views)
    given = np.zeros((views, 1 if mode == "i2v" else 2, latent_frames), bool)
    given[:, :, 0] = True
    if mode == "v2a":
        given[:, 0] = True
    if mode == "a2v":
        given[:, 1] = True
    if mode == "v1_given":
        given[0, 0] = True
    return given.reshape(-1)


def runs_of(values):
    edges = np.flatnonzero(np.diff(values.astype(int))) + 1
    return " ".join(f"{len(part)}x{int(part[0])}" for part in np.split(values, edges))


def sigmas(n, shift=5.0):
    u = np.linspace(1, 0, n + 1, dtype=np.float32)[:-1]
    return (np.float32(shift) * u / (1 + np.float32(shift - 1) * u)).astype(np.float32)


def nearest(listed, value):
    return int(np.argmin(np.abs(listed - value)))


def bell(n=1000):
    """Timesteps and weights of training (docs/reference/wan22.md 5.1)."""
    t = (sigmas(n) * 1000).astype(np.float64)
    y = np.exp(-2 * ((t - n / 2) / n) ** 2)
    y -= y.min()
    return t, y * n / y.sum()


def skipped_run(steps, cosine):
    """Indices of the steps that run (5.2) when the cosine is always the same."""
    ran, countdown = [], 0
    for step in range(steps):
        if len(ran) >= 2 and countdown > 1:
            countdown -= 1
            continue
        if len(ran) >= 2 and countdown == 0 and cosine > 0.93:
            countdown = 4 if cosine > 0.95 else 2
            continue
        countdown = 0
        ran.append(step)
    return ran


def bilinear(image, x, y):
    x0 = int(min(math.floor(x), image.shape[1] - 2))
    y0 = int(min(math.floor(y), image.shape[0] - 2))
    fx, fy = x - x0, y - y0
    upper = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    lower = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    return upper * (1 - fy) + lower * fy


def published_point(maps, views, k, near, far, n):
    """One anchor of one frame (1.4): its point and view 1's centroid."""
    first = maps[0]
    height, width = first.shape
    weights = first / (first.sum() + 1e-8)
    u = (weights * (np.arange(width) + 0.5)[None]).sum()
    v = (weights * (np.arange(height) + 0.5)[:, None]).sum()
    ray = views[0][:3, :3] @ np.array([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], 1])
    ray /= np.linalg.norm(ray) + 1e-8
    best, best_score = None, -1.0
    for distance in np.linspace(near, far, n):
        point, score = views[0][:3, 3] + distance * ray, 1.0
        for image, view in zip(maps, views):
            p = view[:3, :3].T @ (point - view[:3, 3])
            x = k[0, 0] * p[0] / (p[2] + 1e-8) + k[0, 2]
            y = k[1, 1] * p[1] / (p[2] + 1e-8) + k[1, 2]
            score *= bilinear(image, min(max(x, 0), width - 1), min(max(y, 0), height - 1))
        if score > best_score:
            best, best_score = point, score
    return best, (u, v)


def blake2(text):
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def index_hash(index, salt):
    return blake2(f"{index}_{salt}") / 2**64


def show(values, digits=5):
    return "  ".join(f"{value:.{digits}f}" for value in np.ravel(values))


def projection_error_px():
    """Of the tip in bfloat16 at 512, over 2000 poses and cameras."""
    rng = np.random.default_rng(0)
    centre, errors = np.array([0.25, 0, 0.95]), []
    for _ in range(2000):
        quaternion = rng.normal(size=4)
        position = centre + rng.uniform(-0.25, 0.25, 3)
        action = np.r_[position, euler_of(matrix_of(quaternion)), 1.0]
        azimuth, elevation = rng.uniform(-1, 1), rng.uniform(0.1, 1.2)
        back = np.array([
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ])
        left = np.cross([0, 0, 1.0], -back)
        view = camera(centre + rng.uniform(1.1, 1.7) * back, left / np.linalg.norm(left), -back)
        rounded, true = (anchors_px(action, view, intrinsics(512), q) for q in (bf16, exact))
        errors.append(np.hypot(*(rounded[:2] - true[:2])))
    return errors


def g1():
    print("G1 poses, then u, v of R, G, B")
    for name, (_, quaternion, _) in POSES.items():
        unit = np.array(quaternion) / np.linalg.norm(quaternion)
        print(" ", name, "quaternion", show(unit, 7), "euler", show(action_of(name)[3:6], 7))
        for view_name, view in (("FRONT", FRONT), ("OVER", OVER)):
            for size in (512, 64):
                print("   ", view_name, size,
                      show(anchors_px(action_of(name), view, intrinsics(size))[:6], 4))
            rounded = anchors_px(action_of(name), view, intrinsics(512), bf16)
            print("   ", view_name, "512 in bf16", show(rounded[:6], 3))
    errors = projection_error_px()
    print("  error of the tip in bf16, px: median %.2f, 95 %% %.2f, largest %.2f"
          % (np.median(errors), np.percentile(errors, 95), max(errors)))


def g2():
    print("G2 pixels (row,column) R G B")
    pixels = {64: [(0, 0), (32, 32), (40, 30), (44, 31), (50, 34), (63, 63)],
              512: [(0, 0), (256, 256), (330, 240), (356, 230), (400, 256), (511, 511)]}
    for size, places in pixels.items():
        for name, view_name, view in VIEWED:
            image = action_image(anchors_px(action_of(name), view, intrinsics(size)), size)
            print(" ", size, name, view_name,
                  " | ".join(f"({r},{c}) {show(image[r, c])}" for r, c in places))
            print("    sums", show(image.sum((0, 1)), 3), "largest", show(image.max((0, 1)), 6))
    image = action_image(np.array([32, 32, 10.25, 20.5, -5, -5, 1.0]), 64)
    places = [(32, 32, 0), (32, 35, 0), (36, 40, 0), (20, 10, 1), (21, 10, 1), (0, 0, 2)]
    print("  64, centres (32,32) (10.25,20.5) (-5,-5), open:", show([image[p] for p in places], 7))
    print("  radius of the disc at 512: %.4f" % (25.6 * math.sqrt(2 * math.log(4))))


def g3():
    print("G3 rays d, m / 3 at 512, seen from FRONT")
    for name, view in (("FRONT", FRONT), ("OVER", OVER)):
        relative = (np.linalg.inv(FRONT) @ view)[:3]
        print(" ", name, "relative", show(relative, 6))
        values = rays(relative, intrinsics(512), 512)
        for place in ((0, 0), (255, 255), (256, 256), (100, 400), (511, 511)):
            print("   ", place, show(values[place], 6))
    turned = np.diag([-1.0, -1, 1, 1])[:3]
    print("  as the command line feeds it", show(rays(turned, intrinsics(512), 512)[0, 0], 6))


def g4():
    print("G4 masks, T = 41: frames, count x value, open frames")
    for mode in ("i2va", "v2a", "a2v", "i2v", "i2a", "v1_given"):
        given = mask(mode)
        print(" ", mode, len(given), runs_of(given), int((~given).sum()))
    print("  T_l", {t: 1 + (t - 1) // 4 for t in (1, 5, 17, 41, 49, 81)})


def g5():
    print("G5 sigmas and timesteps, shift 5")
    for n in (4, 10, 16, 50):
        levels = sigmas(n)
        t = (levels * np.float32(1000)).astype(np.float32)
        shown = range(n) if n <= 16 else [0, 1, 2, 24, 25, 47, 48, 49]
        print("  n", n, "sigma", show(levels[list(shown)], 6))
        print("    bf16", show(bf16(t[list(shown)]), 2))
    wrong = [n for n in range(2, 201)
             if [nearest(sigmas(n) * 1000, t) for t in bf16(sigmas(n) * 1000)] != list(range(n))]
    print("  first n with a wrong lookup:", wrong[:5])


def g6():
    print("G6 bell weights")
    t, weights = bell()
    for i in (0, 1, 100, 500, 800, 833, 950, 999):
        print("  %d: t %.4f weight %.7f" % (i, t[i], weights[i]))
    found = np.array([nearest(t, value) for value in bf16(t)])
    print("  share of weight 0: %.3f, distinct: %d" % ((found == 0).mean(), len(set(found))))


def g7():
    print("G7 masked Euler, n = 4")
    levels = [*sigmas(4), 0]
    x, given = np.array([2, 1, 0.5, -1, 0, 3.0]), np.arange(6) == 0
    v = np.array([9, 1, -2, 0.5, 4, -1.0])
    for i in range(4):
        x = np.where(given, x, x + v * (levels[i + 1] - levels[i]))
        print("  after", i + 1, show(x, 6))
    x = np.array([2, 1.0, -1])
    for i in range(4):
        x = np.where([True, False, False], x, x + x * (levels[i + 1] - levels[i]))
    print("  with v = x:", show(x, 7))


def g8():
    print("G8 pooling of c + 100 y + 10000 x, flat 0, 1, 16, 255, 256, 6143, 12287")
    c, y, x = np.meshgrid(np.arange(96.0), np.arange(32.0), np.arange(32.0), indexing="ij")
    pooled = (c + 100 * y + 10000 * x).reshape(48, 2, 16, 2, 16, 2).mean((1, 3, 5)).ravel()
    print(" ", pooled[[0, 1, 16, 255, 256, 6143, 12287]])


def g9():
    print("G9 step skipping, 50 steps")
    for cosine in (0.99, 0.94, 0.90):
        ran = skipped_run(50, cosine)
        print(" ", cosine, len(ran), ran if len(ran) < 50 else "")


def g10():
    print("G10 the published decoder, P1, FRONT and OVER at 512, bytes")
    position, quaternion, _ = POSES["P1"]
    rotation, k = matrix_of(quaternion), intrinsics(512)
    offsets = (0 * rotation[:, 0], rotation[:, 0], -rotation[:, 2])
    images = [action_image(anchors_px(action_of("P1"), view, k), 512) for view in (FRONT, OVER)]
    for channel, offset in enumerate(offsets):
        maps = [np.round(image[..., channel] * 255) / 255 for image in images]
        if channel == 2:
            maps = [np.clip(image - 0.25, 0, 1) for image in maps]
        truth = np.array(position) + 0.1 * offset
        for depths in ((0.1, 5.0, 64), (0.5, 1.0, 512), (0.6, 1.8, 512)):
            point, centroid = published_point(maps, (FRONT, OVER), k, *depths)
            print(" ", "RGB"[channel], depths, "point", show(point, 4), "error mm %.2f"
                  % (1e3 * np.linalg.norm(point - truth)), "centroid", show(centroid, 3))
    blue = np.round(images[0][..., 2] * 255)
    print("  bytes of B > 128:", int((blue > 128).sum()), "median", np.median(blue),
          "through the VAE's rule", int(0.5 * 127.5))


def g11_to_g16():
    scale = 256 / 180
    print("G11 intrinsics", show([200 * scale, 200 * scale, (160 - 70) * scale, 90 * scale], 6))
    drawn = {(i, s): round(index_hash(i, s), 9) for i in (0, 1, 2, 41) for s in (0, 1)}
    print("G12 u(i, salt)", drawn)
    print("  trial seeds of the fork",
          {key: blake2(key) % 1000000 + 1 for key in ("close_box|0|0", "open_drawer|0|1")})
    print("G13 loss %.7f" % (3.0 * bell()[1][500]))
    print("G14 RLBench: i2v .1, i2a %.3f, joint %.3f, v1_given and v2a %.4f each"
          % (0.9 * 0.1, 0.9**3, 0.9 * 0.9 * 0.05))
    nothing = np.r_[100, 100, 100, 100, 100, 100, 1.0]
    print("G15 no first action, FRONT", show(anchors_px(nothing, FRONT, intrinsics(512))[:6], 2))
    for n in (100, 4132):
        print("G16 reachable of", n, len({int(index_hash(i, 1) * n) for i in range(n)}))


def g17():
    grid = bf16(np.arange(512))
    print("G17 the grid in bf16 at 255..260, 511", grid[[255, 256, 257, 258, 259, 260, 511]])
    for name, q in (("exact", exact), ("bf16", bf16)):
        px = anchors_px(action_of("P1"), FRONT, intrinsics(512), q)
        image = gaussian(px[0], px[1], 512, q)
        print("  R of P1 FRONT,", name, show(px[:2], 2), "at (278,286) (278,300) (300,286)",
              show([image[278, 286], image[278, 300], image[300, 286]], 6))


if __name__ == "__main__":
    for golden in (g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11_to_g16, g17):
        golden()
