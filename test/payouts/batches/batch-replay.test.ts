/** Replays recorded histories of batches with the present code. */

import { expect, test } from 'vitest'
import { recordedHistories, replayHistory } from '../../stage/histories.js'

const names = recordedHistories('batch')

test('finds a history for every path of a batch', () => {
  expect(names.map((name) => name.split('.')[1]).sort()).toEqual([
    'btc',
    'cancelled',
    'confirmed',
    'partial',
    'rejected',
  ])
})

test.each(names)('replays %s, so that running workflows survive this version', replayHistory)
