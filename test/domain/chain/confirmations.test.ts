/** Computes confirmations by amount. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { confirmationsUnder } from '../../../domain/chain/confirmations.js'
import { requiredConfirmations } from '../../../domain/chain/network.js'
import { testNetworks } from '../../stage/test-networks.js'

const ethereum = testNetworks({ ETHEREUM_ENABLED: 'true' }).get('ethereum')
if (!ethereum) throw new Error('ethereum')
const tier = { network: 'ethereum', coin: 'usdt', from: '10', confirmations: 6 }

test("applies a tier from its amount up, in its own coin, and never lowers the network's number", () => {
  const of = (amount: bigint, coin = 'usdt') => confirmationsUnder([tier], ethereum, coin, amount)
  expect([of(9_999_999n), of(10_000_000n), of(10n ** 20n, 'eth')]).toEqual([2, 6, 2])
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.bigInt({ min: 1n, max: 10n ** 9n }),
      (confirmations, amount) => {
        const needed = confirmationsUnder([{ ...tier, confirmations }], ethereum, 'usdt', amount)
        expect(needed).toBeGreaterThanOrEqual(requiredConfirmations(ethereum, 'usdt', amount))
      },
    ),
  )
})
