/** Replays recorded histories of deliveries, circuits and replays of events with the present code. */

import { expect, test } from 'vitest'
import { recordedHistories, replayHistory } from '../stage/histories.js'

const names = recordedHistories('webhook-delivery', 'webhook-circuit', 'webhook-replay')

test('finds recorded histories', () => {
  expect(names).toHaveLength(12)
})

test.each(names)('replays %s, so that running deliveries survive this version', replayHistory)
