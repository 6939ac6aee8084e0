/** Replays recorded histories of deliveries and circuits with the present code. */

import { expect, test } from 'vitest'
import { recordedHistories, replayHistory } from '../stage/histories.js'

const names = recordedHistories('webhook-delivery', 'webhook-circuit')

test('finds recorded histories', () => {
  expect(names).toHaveLength(10)
})

test.each(names)('replays %s, so that running deliveries survive this version', replayHistory)
