"""`keras.Model.fit` from any step on, and again where it diverges; everything it needs for that is in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from textseq.errors import problem
from textseq.rundir import RunDirectory
from textseq.training.callbacks import EarlyStopping, UserCallbacks, Validation
from textseq.training.checkpoints.folder import Checkpoint, Checkpoints
from textseq.training.checkpoints.state import assign, assign_means
from textseq.training.clock import Clock
from textseq.training.divergence import DivergedError, DivergenceGuard
from textseq.training.logs import EpochTable, MetricsLog, Progress, Reporter
from textseq.training.optimizers import scale_learning_rate, weights_left_alone
from textseq.training.saving import Saving, Stateful
from textseq.training.setbacks import Setbacks
from textseq.training.stopping import ScoringStoppedError, Stopping

if TYPE_CHECKING:
    from textseq.training.trainer import Ready

Say = Callable[[str], None]


class Callbacks(keras.callbacks.CallbackList):
    """The callbacks of a training that may take several calls of `fit`: it begins and ends once for them.

    Args:
        callbacks: All of them.
        **more: As Keras's.
    """

    def __init__(self, callbacks: list[keras.callbacks.Callback], **more: Any) -> None:
        super().__init__(callbacks, **more)
        self._first_step = 0
        self._means: Sequence[np.ndarray] = ()

    def begin(self) -> None:
        """The training begins."""
        super().on_train_begin()

    def end(self) -> None:
        """The training is over."""
        super().on_train_end()

    def go_on(self, first_step: int, means: Sequence[np.ndarray]) -> None:
        """Lets the next epoch begin after some steps.

        Args:
            first_step: So many.
            means: The running means at that step.
        """
        self._first_step, self._means = first_step, means

    def on_train_begin(self, logs: Any = None) -> None:
        """Passes nothing on: a call of `fit` begins."""

    def on_train_end(self, logs: Any = None) -> None:
        """Passes nothing on: a call of `fit` is over."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts the running means back, which `fit` has just set to zero."""
        if len(self._means):
            assign_means(self.model, self._means)
        super().on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Lets the next epoch begin at its first step."""
        super().on_epoch_end(epoch, logs)
        self.go_on(0, ())

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Counts the steps from the epoch's first."""
        super().on_train_batch_begin(batch + self._first_step, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the steps from the epoch's first."""
        super().on_train_batch_end(batch + self._first_step, logs)


class Fitting:
    """One training.

    Args:
        ready: What is trained.
        run: The run directory.
        reporter: Shows progress.
        say: Takes lines for the user.
        about: What every checkpoint says of the run: what must be the same when it goes on.

    Attributes:
        validation: Knows the best epoch.
        clock: Knows the time that training took.
    """

    def __init__(self, ready: Ready, run: RunDirectory, reporter: Reporter, say: Say, about: dict[str, Any]) -> None:
        self.ready, self.run, self.reporter, self.say = ready, run, reporter, say
        training, feed = ready.config.training, ready.feed
        self.checkpoints = Checkpoints(run, training.keep_checkpoints)
        self.stopping = Stopping(say)
        self.validation = Validation(
            ready.task,
            ready.prepared,
            run,
            training.monitor,
            keep_last=training.keep == "last",
            look_up=self.stopping.look_up,
        )
        self.clock = Clock()
        guard, log = DivergenceGuard(training.blow_up), MetricsLog(run, feed, self.clock, training.log_every)
        parts: dict[str, Stateful] = {"guard": guard, "validation": self.validation, "log": log}
        parts["users"] = UserCallbacks(ready.callbacks)
        shard = ready.prepared.shard
        parts["setbacks"] = self.setbacks = Setbacks(training, run, feed, allowed=shard.count == 1)
        self.patience = EarlyStopping(self.validation, training.early_stopping) if training.early_stopping else None
        self.saving = Saving(
            self.checkpoints, training, feed, self.clock, self.stopping, parts, about, self.patience, shard
        )
        callbacks: list[keras.callbacks.Callback] = [
            feed,
            guard,
            self.validation,
            log,
            Progress(reporter, feed, training.epochs),
            *([self.patience] if self.patience else []),
            *([keras.callbacks.TensorBoard(str(run.path / "tensorboard"))] if training.tensorboard else []),
            EpochTable(run.path / "epochs.csv"),
            *ready.callbacks,
            self.saving,
        ]
        self.callbacks = Callbacks(
            callbacks, add_history=True, model=ready.model, epochs=training.epochs, steps=feed.steps_per_epoch
        )
        self._position = (0, 0)

    def __call__(self, checkpoint: Checkpoint | None = None) -> None:
        """Trains to the end.

        Args:
            checkpoint: Where to go on from; None to begin.

        Raises:
            DivergedError: The training diverges.
            StoppedError: A signal asked for an end.
        """
        with self.stopping.heard(by_one=self.ready.prepared.shard.count == 1):
            try:
                self.ready.model.stop_training = False
                self.callbacks.begin()
                if checkpoint is None:
                    self.saving.save(0, 0, regular=True)
                else:
                    self._go_on(checkpoint)
                    self.checkpoints.forget_after(checkpoint.step)
                while not self._train_to_the_end():
                    pass  # it diverged, and stands at a checkpoint again
                self.callbacks.end()
            finally:
                self.reporter.end()

    def _go_on(self, checkpoint: Checkpoint) -> None:
        """Makes everything as it was at a checkpoint."""
        self.checkpoints.put_back(checkpoint)
        means = checkpoint.about["means"]
        arrays = list(checkpoint.arrays)
        assign(self.ready.model, arrays[: len(arrays) - means])
        self.saving.restore(checkpoint)
        self._position = (checkpoint.about["epoch"], checkpoint.about["step_of_epoch"])
        self.callbacks.go_on(self._position[1], arrays[len(arrays) - means :] if self._position[1] else ())
        self.ready.model.stop_training = checkpoint.about["stopped"]
        if self.patience is not None and self.patience.exhausted:
            self.ready.model.stop_training = True
            way_out = "A larger number, or null, lets the training go on"
            wrong = "the epochs without a better score are at an end, and no more follow"
            self.say(problem("training.early_stopping", wrong, received=self.patience.patience, way_out=way_out))

    def _train_to_the_end(self) -> bool:
        """Trains, and returns whether that reached the end; where it diverged, all is as at a checkpoint before."""
        try:
            self._train()
        except DivergedError as error:
            self._go_back(error)
            return False
        return True

    def _go_back(self, error: DivergedError) -> None:
        checkpoint = self.checkpoints.last_regular(self.say)
        if checkpoint is None:
            raise error
        after = self.setbacks.next(error, checkpoint.step)
        self.checkpoints.forget_after(checkpoint.step)  # first: the logs that they count on are about to be cut
        self._go_on(checkpoint)
        scale_learning_rate(self.ready.model.optimizer, after["scale"] / self.setbacks.scale)
        self.setbacks.restore(after)
        self.saving.save_again(checkpoint)
        self.say(f"{error} Back at step {checkpoint.step:,}, with {after['scale']:g} times the learning rate.")

    def _train(self) -> None:
        """Trains the rest of the epoch that is going on, then the others."""
        model, (epoch, step) = self.ready.model, self._position
        epochs = self.ready.config.training.epochs
        with weights_left_alone(model.optimizer):
            if step:
                unscored = step >= self.ready.feed.steps_per_epoch
                self._end_of_epoch(epoch) if unscored else self._fit(epoch, step, epoch + 1)
                epoch += 1
            if epoch < epochs and not model.stop_training:
                self._fit(epoch, 0, epochs)
        model.optimizer.finalize_variable_values(model.trainable_weights)

    def _fit(self, epoch: int, step: int, epochs: int) -> None:
        feed = self.ready.feed
        feed.go_to(epoch, step)
        try:
            self.ready.model.fit(
                feed.for_backend(),
                initial_epoch=epoch,
                epochs=epochs,
                verbose=0,
                callbacks=self.callbacks,
                shuffle=False,
            )
        except ScoringStoppedError:
            self.saving.save_unscored()

    def _end_of_epoch(self, epoch: int) -> None:
        self.callbacks.on_epoch_begin(epoch)
        try:
            self.callbacks.on_epoch_end(epoch, self.ready.model.get_metrics_result())
        except ScoringStoppedError:
            self.saving.save_unscored()
