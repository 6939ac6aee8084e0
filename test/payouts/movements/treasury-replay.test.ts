/** Replays recorded histories of consolidations and rebalances with the present code. */

import { expect, test } from 'vitest'
import { recordedHistories, replayHistory } from '../../stage/histories.js'

const names = recordedHistories('consolidation', 'rebalance')

test('finds a history for every path of a movement', () => {
  expect(names.sort()).toEqual([
    'consolidation.native.pb',
    'consolidation.outputs.pb',
    'consolidation.reverted.pb',
    'consolidation.token.pb',
    'rebalance.gathers.pb',
    'rebalance.up.pb',
  ])
})

test.each(names)('replays %s, so that running workflows survive this version', replayHistory)
