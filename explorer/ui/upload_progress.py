"""How far uploads are, as Gradio tells the page that sends them: of few, and forgotten in time.

Gradio keeps a word for each name of an upload that anybody has ever sent or asked for, and a name
may have as many characters as an address.
"""

from gradio import routes
from gradio.route_utils import FileUploadProgress

MOST_UPLOADS = 200  # uploads of which it is told; the oldest are forgotten beyond them


class RecentUploads(FileUploadProgress):
    """The progress of uploads under way, and of few that nobody has asked for yet."""

    def track(self, upload_id: str) -> None:
        """Begin to tell of an upload."""
        super().track(upload_id)
        while len(self._statuses) > MOST_UPLOADS:
            self.stop_tracking(next(iter(self._statuses)))

    async def is_tracked(self, upload_id: str) -> bool:
        """Wait for an upload to begin; the caller limits how long."""
        try:
            return await super().is_tracked(upload_id)
        finally:
            if upload_id not in self._statuses:
                self._signals.pop(upload_id, None)

    def stop_tracking(self, upload_id: str) -> None:
        """Forget an upload."""
        super().stop_tracking(upload_id)
        self._signals.pop(upload_id, None)


def tell_of_recent_uploads() -> None:
    """Make Gradio keep the progress of uploads so from now on."""
    routes.file_upload_statuses = RecentUploads()
