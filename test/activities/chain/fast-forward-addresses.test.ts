/** Moves address counters after a restored database, so that no address is issued twice. */

import { randomBytes } from 'node:crypto'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { afterEach, expect, test } from 'vitest'
import { fastForwardAddresses } from '../../../activities/chain/fast-forward-addresses.js'
import type { ChainAdapter } from '../../../chains/adapter.js'
import { connect, type Sql } from '../../../db/connect.js'
import { allocateAddress } from '../../../db/wallets/allocate-address.js'
import { listAddresses } from '../../../db/wallets/list-addresses.js'
import { deriveAddress } from '../../../domain/address/derive-address.js'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, ledger, merchantWith, scan, settle } from '../../stage/deposit-steps.js'
import { copyDatabase, freshDatabase } from '../../support/database.js'

const network = bitcoin as UtxoNetwork
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function randomXpub(): string {
  return BIP32Factory(ecc)
    .fromSeed(randomBytes(32), {
      bip32: network.bip32,
      messagePrefix: '',
      bech32: 'bcrt',
      pubKeyHash: 0,
      scriptHash: 0,
      wif: 0,
    })
    .neutered()
    .toBase58()
}

/** A chain on which these addresses were paid. */
function chainWith(used: ReadonlySet<string>, asked: number[] = []): ChainAdapter {
  return {
    network,
    used: async (addresses: readonly string[]) => {
      asked.push(addresses.length)
      return addresses.map((address) => used.has(address))
    },
  } as unknown as ChainAdapter
}

test('moves a counter past every used address and a gap beyond it', async () => {
  const database = await freshDatabase()
  open.push(() => database.drop())
  const { sql } = database
  const xpub = randomXpub()
  const merchant = await merchantWith(sql)
  await merchant.address('bitcoin', 'alice')
  await sql`UPDATE key_accounts SET xpub = ${xpub}, next_index = 5`
  // Gaps of up to 200 are bridged, and one search is not the end.
  const used = new Set(
    [2, 7, 203, 395, 401].map((index) => deriveAddress({ network, xpub, branch: 0, index }).address),
  )
  const asked: number[] = []
  const adapter = chainWith(used, asked)
  const known = new Set<string>()
  expect(await fastForwardAddresses(sql, adapter, { gap: 30, known })).toBe(427)
  expect(await sql`SELECT next_index FROM key_accounts`).toEqual([{ next_index: 432 }])
  expect(asked).toEqual([200, 200, 200])
  // Once a process, while the database is not started again.
  expect(await fastForwardAddresses(sql, adapter, { gap: 30, known })).toBe(0)
  expect(asked).toHaveLength(3)
  expect(await fastForwardAddresses(sql, adapter, { gap: 30 })).toBe(0)
})

test('issues no address twice after a restored backup, and credits transfers to addresses issued after the backup', async () => {
  const first = await freshDatabase()
  open.push(() => first.drop())
  const setup = first.sql
  const merchant = await merchantWith(setup)
  await merchant.address('bitcoin', 'merchant', 'deposit')
  await setup`DELETE FROM addresses`
  await setup`UPDATE key_accounts SET xpub = ${randomXpub()}`
  await setup`INSERT INTO merchant_rails (merchant_id, network, coin) VALUES (${merchant.id}, 'bitcoin', 'btc')`
  const give = async (sql: Sql, user: string) =>
    (await sql.begin((tx) =>
      allocateAddress(tx, {
        merchantId: merchant.id,
        network,
        userReference: user,
        label: null,
        fresh: false,
      }),
    )) as Awaited<ReturnType<typeof allocateAddress>>
  const model = new ChainModel(network)
  const chain = model.adapter()
  await scan(setup, chain)
  await give(setup, 'early')
  await setup.end({ timeout: 1 })
  const restored = await copyDatabase(new URL(first.url).pathname.slice(1))
  open.push(() => restored.drop())

  // After the backup 30 users get an address; of these only the fifth pays.
  const after = connect(first.url)
  open.push(() => after.end({ timeout: 1 }))
  const given: string[] = []
  for (let user = 0; user < 30; user++) given.push((await give(after, `late-${user}`)).address.address)
  const [paid] = await after<{ payee: string }[]>`
    SELECT encode(payee, 'hex') AS payee FROM addresses WHERE address = ${given[4] ?? ''}`

  // The backup is a day old.
  const { sql } = restored
  await sql`UPDATE chain_cursors SET updated_at = now() - interval '1 day'`
  expect((await give(sql, 'early')).created).toBe(false)
  await expect(give(sql, 'new')).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE', retryable: true })

  // A node that cannot say what was used leaves new addresses waiting, without leaving out more at each
  // attempt.
  const silent = {
    network,
    used: async () => {
      throw new Error('no index')
    },
  } as unknown as ChainAdapter
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(fastForwardAddresses(sql, silent, { gap: 40 })).rejects.toThrow('no index')
  }
  await expect(give(sql, 'new')).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
  expect(await sql`SELECT next_index FROM key_accounts`).toEqual([{ next_index: 41 }])

  await fastForwardAddresses(sql, chainWith(new Set(given.slice(4, 5))), { gap: 40 })
  const fresh = await give(sql, 'new')
  expect(given).not.toContain(fresh.address.address)
  expect(fresh.address.derivation_path).toMatch(/\/0\/41$/)

  model.pay({ payee: paid?.payee ?? '', coin: 'btc', amount: 700n })
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, chain)
  await settle(sql)
  expect(await ledger(sql, 'available', '')).toBe(700n)
  const raised = await sql`SELECT data FROM events WHERE type = 'exception.raised'`
  expect(raised.map((each) => (each as { data: unknown }).data)).toMatchObject([
    { kind: 'address.indexes_skipped', network: 'bitcoin', from_index: 1, to_index: 40 },
    { kind: 'unattributed', network: 'bitcoin', amount: '0.000007' },
  ])
  // They belong to no user, so the merchant's list of its users' addresses leaves them out.
  const slice = { take: 100, offset: 0, before: null }
  expect((await listAddresses(sql, merchant.id, {}, slice)).map((row) => row.user_reference)).toEqual([
    'new',
    'early',
  ])
})

test('leaves out few indexes and raises nothing after a mere restart of the server', async () => {
  const database = await freshDatabase()
  open.push(() => database.drop())
  const { sql } = database
  const merchant = await merchantWith(sql)
  await merchant.address('bitcoin', 'alice')
  await scan(sql, new ChainModel(network).adapter())
  await sql`
    UPDATE key_accounts SET xpub = ${randomXpub()}, next_index = 1, counter_moved = 'before', counter_compared = 'before'`
  expect(await fastForwardAddresses(sql, chainWith(new Set()), { gap: 100 })).toBe(20)
  expect(await sql`SELECT next_index FROM key_accounts`).toEqual([{ next_index: 21 }])
  expect(await sql`SELECT 1 FROM events WHERE type = 'exception.raised'`).toHaveLength(0)
})
