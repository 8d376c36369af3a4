"""The door of tax: entrypoints only, each a line."""

from services.tax import usecases
from services.tax.config import build
from shared.answering import Given, answers, every
from shared.contracts.tax import Tax


class TaxService:
    """Sales tax of every practice: the requirement and quotes."""

    name = Tax.service
    room = Given(build)

    @answers(Tax.read_settings)
    def read_settings(self, caller, request):
        return usecases.read_settings(caller, self.room.db)

    @answers(Tax.change_settings)
    def change_settings(self, caller, request):
        return usecases.change_settings(caller, request, self.room.db, self.room.clock)

    @answers(Tax.quote)
    def quote(self, caller, request):
        return usecases.quote(caller, request, self.room.db, self.room.clock)

    @answers(Tax.put_client)
    def put_client(self, caller, request):
        return usecases.put_client(caller, request, self.room.db)

    @every(3600)
    def forget_old_keys(self):
        usecases.forget_old_keys(self.room.db, self.room.clock)
