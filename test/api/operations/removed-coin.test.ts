/**
 * A token that the configuration no longer has: its balances are still shown, and its held deposits can be
 * decided.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { requestRelease } from '../../../db/deposits/request-release.js'
import type { Network } from '../../../domain/chain/network.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let networks: ReadonlyMap<string, Network>
beforeAll(async () => {
  const configured = await loadNetworks(undefined, {})
  const ethereum = configured.get('ethereum')
  if (!ethereum) throw new Error('no ethereum')
  const isNative = ({ name }: { readonly name: string }) => name === 'eth'
  networks = new Map([
    ...configured,
    [
      'ethereum',
      {
        ...ethereum,
        coins: ethereum.coins.filter(isNative),
        removedCoins: ethereum.coins.filter((coin) => !isNative(coin)),
      },
    ],
  ])
  api = await startTestApi({}, { networks })
  await api.enrol(api.merchantId)
})
afterAll(() => api?.database.drop())

test('lists its balances beside those of other coins', async () => {
  const { sql } = api.database
  const amount = 2_500_000n
  await sql.begin((tx) =>
    postJournal(tx, {
      merchantId: api.merchantId,
      idempotencyKey: 'removed',
      type: 'test.credited',
      reference: 'test',
      entries: [
        { network: 'ethereum', coin: 'usdt', kind: 'chain', owner: 'somewhere', amount },
        { network: 'ethereum', coin: 'usdt', kind: 'available', owner: 'alice', amount: -amount },
      ],
    }),
  )
  const { status, json } = await api.call({ path: '/api/v1/balances?user_reference=alice' })
  expect([status, json.error]).toEqual([200, undefined])
  expect(json.data).toContainEqual(expect.objectContaining({ coin: 'usdt', available: '2.5' }))
})

test('accepts a request to release a held deposit of it', async () => {
  const { sql } = api.database
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'ethereum' },
  })
  await sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status, epoch,
                          required_confirmations, sources, destinations, history, detected_at, updated_at)
    VALUES ('dep_removed', ${api.merchantId}, 'ethereum', 'usdt', ${json.data.id}, 'alice', '0x1', 1, 2500000, 'held', 0,
            1, '[]', '[]', '[]', now(), now())`
  const intent = await sql.begin((tx) =>
    requestRelease(tx, networks, {
      merchantId: api.merchantId,
      id: 'dep_removed',
      by: 'person',
      actor: 'person:person',
      reason: 'known sender',
      expiryMs: 60_000,
    }),
  )
  expect(intent).toMatchObject({ deposit: 'dep_removed', asset: { coin: 'usdt' }, amount: '2500000' })
})
