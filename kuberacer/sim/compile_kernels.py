"""python -m kuberacer.sim.compile_kernels: compile every kernel into numba's cache, so that no run waits for it."""

import time


def main() -> None:
    clock = time.perf_counter()
    # With their signatures given, the kernels compile, or load from the cache, when their modules are imported.
    from kuberacer.sim import camera, film_kernels, randomization, render_kernels, step_kernels

    kernels = (
        step_kernels.step_cars, step_kernels.stand_cars, step_kernels.settle_cars, render_kernels.render_cars,
        camera.fill_row_table, randomization.fill_draws, randomization.fill_lookup,
        film_kernels.draw_ground, film_kernels.fill_quads, film_kernels.stamp, film_kernels.to_yuv420,
    )  # fmt: skip
    count = sum(len(kernel.signatures) for kernel in kernels)
    print(f"{count} kernels ready in {time.perf_counter() - clock:.1f} s")


if __name__ == "__main__":
    main()
