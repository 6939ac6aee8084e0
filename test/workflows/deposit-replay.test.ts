/** Replays recorded histories of deposits, watchers and sweepers with the present code. */

import { expect, test } from 'vitest'
import { recordedHistories, replayHistory } from '../stage/histories.js'

const names = recordedHistories('deposit', 'chain-watcher', 'sweeper')

test('finds a history for every path of a deposit', () => {
  expect(names.sort()).toEqual(
    [
      'chain-watcher.continued.pb',
      'deposit.block.pb',
      'deposit.catch-up.pb',
      'deposit.held.pb',
      'deposit.mempool.pb',
      'deposit.replaced.pb',
      'deposit.reverted.pb',
      'deposit.screened.pb',
      'sweeper.swept.pb',
    ].sort(),
  )
})

test.each(names)('replays %s, so that running workflows survive this version', replayHistory)
