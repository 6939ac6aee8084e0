/** Replays the recorded history of a firing of a schedule with the present code. */

import { test } from 'vitest'
import { replayHistory } from '../../stage/histories.js'

test('replays the recorded firing of a schedule', () => replayHistory('scheduled-withdrawal.created.pb'))
