"""Study S1 of the scenario, as far as it is built: which step runs when."""

import asyncio

from connector.play.accounts import old_checkpoint, step_19, step_20
from connector.play.agree import step_9, step_10
from connector.play.analyse import step_11, step_12, step_13
from connector.play.apply import step_6, step_7
from connector.play.close import step_18
from connector.play.prepare import step_1, step_2, step_3
from connector.play.second import agreed, defective_cut, short_permit, stop_button
from connector.play.snapshots import doubled, step_8
from connector.play.stage import Play
from connector.play.wire import crooked_staging


async def play(stage: Play) -> None:
    """Plays a new study from its first step to its last. Raises `Failed` at the first row that comes out wrong.

    While S1 trains, two smaller studies come to their agreements: one is staged by a crooked hand, one cut defectively.
    """
    for step in (step_1, step_2, step_3, step_6, step_7, step_8, step_9, old_checkpoint, step_10):
        await step(stage)
    beside = [
        asyncio.create_task(agreed(stage, "어긋난 적재")),
        asyncio.create_task(agreed(stage, "중단될 연구", doubled)),
    ]
    try:
        await step_11(stage)
        await short_permit(stage)
        await crooked_staging(stage, beside[0])
        await defective_cut(stage, beside[1])
    finally:
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    await stop_button(stage)
    for step in (step_12, step_13, step_18, step_19, step_20):
        await step(stage)
    stage.forget()
