"""Many shards: by threads of this process, or by Dask's workers on as many machines as there are.

No scheduler of our own. Dask places the tasks, and repeats those of workers that died; the manifests say what is done.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from digitnn_fast.checks import reason_of
from digitnn_fast.kernels import FIXED, FORWARD, KERNELS, start_compiling
from digitnn_fast.kernels.machine.jit import DISABLE_JIT
from digitnn_fast.network import Network
from digitnn_fast.predictor import Precision, Predictor
from digitnn_fast.preprocessing import PREPROCESSINGS, predicting
from digitnn_fast.shards import Options, Outcome, Task, attempt_shard, is_url
from digitnn_fast.threads import thread_count
from digitnn_fast.version import VERSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AHEAD = 8  # tasks that wait for each thread, so that none is idle while the scheduler thinks
CONNECT = "10s"
FIRST_WORKER = 60  # seconds
PREDICTING = tuple(
    dict.fromkeys(kernel for kind in PREPROCESSINGS for kernel in predicting(kind, *FORWARD.values(), FIXED))
)
# Each worker has one thread: what libraries would start besides only gets in the way of the other workers.
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


# Its own cluster is looked at by nobody: samples of the workers' stacks and of the machine are not wanted.
QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "10s"}


class ClusterError(ValueError):
    """A cluster that can't be used; the text is one line with the reason."""


def run_local(
    tasks: Sequence[Task], predictor: Predictor, options: Options, workers: int | None = None
) -> Generator[Outcome, None, None]:
    """The outcomes as they come, by `workers` threads, by default one per CPU."""
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    workers = max(1, min(thread_count(workers), len(tasks)))
    left = iter(tasks)
    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting = {pool.submit(attempt_shard, task, predictor, options) for task in islice(left, workers + AHEAD)}
        except RuntimeError as error:
            raise ClusterError(f"no {workers} threads can be started here; ask for fewer") from error
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(attempt_shard, task, predictor, options) for task in islice(left, len(done))}
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def run_dask(
    tasks: Sequence[Task],
    network: Network,
    precision: Precision,
    options: Options,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Generator[Outcome, None, None]:
    """The outcomes as they come, by the workers of a Dask scheduler, or by `workers` processes of this machine.

    ClusterError without `distributed`, without the scheduler, or if its workers have another version of this package.
    """
    with connected(scheduler, workers) as client:
        yield from run_on(client, tasks, network, precision, options)


def run_on(
    client: Any, tasks: Sequence[Task], network: Network, precision: Precision, options: Options
) -> Iterator[Outcome]:
    """The same on a `distributed.Client` that is there already."""
    from distributed import as_completed

    client.register_plugin(_preparation())
    _check_workers(client)
    # A task and not scattered data: the scheduler can make it again if the only worker that holds it dies.
    predictor = client.submit(_predictor, *network.parameters, network.preprocessing, precision, pure=False)
    left = iter(tasks)
    origin: dict[str, Task] = {}

    def submitted(count: int) -> list[Any]:
        some = list(islice(left, count))
        if not some:
            return []
        # Many at once: the scheduler takes 2 ms for each graph, however small.
        everywhere = [Task(*map(_absolute, task)) for task in some]  # a worker may have started in another folder
        futures = client.map(attempt_shard, everywhere, predictor=predictor, options=options, pure=False)
        origin.update(zip((future.key for future in futures), some, strict=True))
        return list(futures)

    enough = (1 + AHEAD) * max(1, sum(client.nthreads().values()))
    completed = as_completed(submitted(enough))
    for future in completed:
        task = origin.pop(future.key)
        outcome = _outcome(future, task)
        if len(origin) <= enough // 2:
            completed.update(submitted(enough - len(origin)))
        yield outcome


def _outcome(future: Any, task: Task) -> Outcome:
    """The worker's outcome; after repeated deaths of a worker, or a bug, a failed outcome with the reason."""
    try:
        outcome: Outcome = future.result()
    except Exception as error:
        if future.status == "cancelled":
            raise ClusterError("the scheduler is gone; what is done is kept, so run the same command again") from error
        return Outcome(task, 0, 0.0, error=f"{task.source}: {type(error).__name__}: {reason_of(error)}")
    return outcome._replace(task=task)


def _absolute(path: str) -> str:
    return path if is_url(path) else os.path.abspath(path)


def _predictor(
    W1: NDArray[np.float32],
    b1: NDArray[np.float32],
    W2: NDArray[np.float32],
    b2: NDArray[np.float32],
    preprocessing: str,
    precision: Precision,
) -> Predictor:
    """The predictor of these weights; it runs on a worker, which has other threads for other shards."""
    return Predictor(Network(W1, b1, W2, b2, preprocessing), threads=1, precision=precision)


@contextmanager
def connected(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """A client of the scheduler at this address, or of a cluster of its own; ClusterError if there is none."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError("--engine dask needs the package distributed: install the extra `dask`") from None
    with ExitStack() as stack:
        if scheduler is None:
            stack.enter_context(dask.config.set({**QUIET, "distributed.nanny.pre-spawn-environ": node_environment()}))
            count = thread_count(workers)
            try:
                cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # of the health check; 8787 may be another's
                    silence_logs=50,
                )
            except Exception as error:  # without /dev/shm, processes or ports its parts raise what they like
                raise ClusterError(f"Dask can't start workers on this machine: {reason_of(error)}") from error
            scheduler = stack.enter_context(cluster)
        try:
            client = stack.enter_context(Client(scheduler, timeout=CONNECT))
        except (OSError, ValueError) as error:  # TimeoutError too
            raise ClusterError(f"{scheduler}: no Dask scheduler can be reached: {reason_of(error)}") from error
        yield client


def node_environment() -> dict[str, str]:
    """The environment variables that a worker's process needs before it imports numba or NumPy.

    This process compiles the kernels; `NUMBA_CACHE_DIR` is where the workers of this machine find them.
    """
    load_kernels()
    folder = KERNELS["inference.forward"].folder()
    return ONE_THREAD | ({"NUMBA_CACHE_DIR": str(folder)} if folder else {})


def load_kernels() -> None:
    """Compile all kernels that predicting needs, unless this machine has them."""
    if not DISABLE_JIT:
        start_compiling(*PREDICTING)
        for name in PREDICTING:
            KERNELS[name].load()


def _preparation() -> Any:
    """The plugin that makes a worker ready, on whatever machine it is and whenever it comes."""
    from distributed import WorkerPlugin

    class Preparation(WorkerPlugin):  # type: ignore[misc]
        name = "digitnn-fast"

        def setup(self, worker: Any) -> None:
            prepare_worker(worker.local_directory)

    return Preparation()


def prepare_worker(directory: str) -> None:
    """Prepare a worker's process. Of the workers of one machine only the first compiles; the others wait.

    `directory` is the worker's own; beside it there is room for what they share, if no usual folder can be written.
    """
    from locket import lock_file

    shared = os.path.dirname(os.path.abspath(directory))
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    with lock_file(os.path.join(shared, "digitnn-fast.lock")):
        load_kernels()


def _check_workers(client: Any) -> None:
    """ClusterError unless there are workers, all with this version of the package."""
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER)
        versions = set(client.run(worker_version).values())
    except TimeoutError:
        raise ClusterError(f"the scheduler has no workers, and none came in {FIRST_WORKER} s") from None
    except ImportError as error:
        raise ClusterError(f"the workers can't import digitnn_fast: {error}") from error
    if versions != {VERSION}:
        found = ", ".join(sorted(versions))
        raise ClusterError(f"the workers have digitnn-fast {found}; this is {VERSION}: install the same everywhere")


def worker_version() -> str:
    """The version of the package on a worker."""
    return VERSION
