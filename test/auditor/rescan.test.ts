/** Finds deposits that the watcher missed, and credits them by a rescan: once, on real chains. */

import { randomUUID } from 'node:crypto'
import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditChain, type ChainAudit } from '../../activities/books/audit/audit-chain.js'
import { advanceChain } from '../../activities/chain/advance-chain.js'
import { compareAccounts, createAccountLook } from '../../activities/chain/compare-accounts.js'
import { fastForwardAddresses } from '../../activities/chain/fast-forward-addresses.js'
import { createRescanActivities } from '../../activities/chain/rescan.js'
import { rescanBlocks } from '../../activities/chain/rescan-blocks.js'
import type { ChainAdapter, UtxoAdapter } from '../../chains/adapter.js'
import { createUtxoAdapter } from '../../chains/utxo/create-utxo-adapter.js'
import type { Sql } from '../../db/connect.js'
import { createOperatorKey } from '../../db/merchants/operator.js'
import { deriveAddress } from '../../domain/address/derive-address.js'
import type { EvmNetwork, Network } from '../../domain/chain/network.js'
import { type Lab, startLab } from '../chains/evm/lab.js'
import { testNetwork } from '../chains/utxo/test-network.js'
import { settle } from '../stage/deposit-steps.js'
import { finishRun } from '../stage/reconcile.js'
import { type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from '../stage/test-api.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'
import { differencesOf } from './audit-stage.js'
import { type LyingNode, lyingNode } from './lying-node.js'

let bitcoin: TestBitcoin
let lab: Lab
let api: TestApi
let sql: Sql
let operator: ApiKeyPair
let utxo: ChainAdapter
const networks = new Map<string, Network>()

beforeAll(async () => {
  ;[bitcoin, lab] = await Promise.all([testBtcd({ mature: 5 }), startLab()])
  networks.set('bitcoin', { ...testNetwork(bitcoin.rpc), confirmations: 2 })
  // An hour of blocks is few, because the node keeps the balances of some hundred blocks.
  networks.set('ethereum', { ...lab.network, blockTimeSeconds: 60 })
  api = await startTestApi({}, { networks })
  ;({ sql } = api.database)
  await api.enrol(api.merchantId)
  utxo = createUtxoAdapter(testNetwork(bitcoin.rpc))
  operator = await createOperatorKey(sql, MASTER_KEY, { name: 'test', ipAllowlist: ['0.0.0.0/0', '::/0'] })
  await advanceChain(sql, utxo)
  await advanceChain(sql, lab.adapter)
})
afterAll(async () => {
  await utxo?.close()
  await Promise.all([bitcoin?.stop(), lab?.stop()])
  await api?.database.drop()
})

const adapterOf = (network: string) => (network === 'bitcoin' ? utxo : lab.adapter)
const mine = async (network: string, blocks: number) => {
  if (network === 'bitcoin') await bitcoin.mine(blocks)
  else await lab.anvil.mine(blocks)
}

async function issue(network: string, user: string): Promise<string> {
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network },
  })
  return json.data.address
}

/** Pays while the watcher cannot see the address. @returns What `pay` returns. */
async function unseen<T>(network: string, address: string, pay: () => Promise<T>): Promise<T> {
  await sql`UPDATE addresses SET match_key = match_key + 1 WHERE address = ${address}`
  const paid = await pay()
  await mine(network, 3)
  await advanceChain(sql, adapterOf(network))
  await sql`UPDATE addresses SET match_key = match_key - 1 WHERE address = ${address}`
  return paid
}

async function audit(
  network: string,
  rpcUrls?: readonly string[],
): Promise<Extract<ChainAudit, { kind: 'compared' }>> {
  const configured = networks.get(network) as Network
  const known = rpcUrls ? { ...configured, rpcUrls } : configured
  const [cursor] = await sql<
    { height: bigint }[]
  >`SELECT height FROM chain_cursors WHERE network = ${network}`
  const result = await auditChain(sql, {
    merchantId: api.merchantId,
    network: known,
    atBlock: Number(cursor?.height),
    key: randomUUID(),
  })
  if (result.kind !== 'compared') throw new Error(result.kind === 'failed' ? result.message : result.kind)
  return result
}

/** Makes a run of the reconciliation against the chains, at the newest scanned block. */
async function reconcile(network: string) {
  const [cursor] = await sql<
    { height: bigint }[]
  >`SELECT height FROM chain_cursors WHERE network = ${network}`
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/reconciliation/runs',
    body: { scope: ['chain'], networks: [network], at_block: Number(cursor?.height) },
  })
  await finishRun(sql, networks, json.data.id)
  return (await api.call({ path: `/api/v1/reconciliation/runs/${json.data.id}` })).json.data
}

const exceptions = () => sql<{ kind: string; status: string; evidence: Record<string, unknown> }[]>`
  SELECT kind, status, evidence FROM exceptions ORDER BY id`

/** Asks for a rescan, lets the worker run it, and reads it. */
async function rescan(body: Record<string, unknown>) {
  const { status, json } = await api.call({
    method: 'POST',
    path: '/api/v1/admin/rescan',
    body,
    key: operator,
  })
  expect([status, json.error]).toEqual([202, undefined])
  expect(json.data).toMatchObject({ status: 'queued', deposits: 0 })
  await run(json.data.id)
  const read = await api.call({ path: `/api/v1/admin/rescan/${json.data.id}`, key: operator })
  return read.json.data
}

async function run(id: string): Promise<void> {
  const adapters = new Map<string, ChainAdapter>([
    ['bitcoin', utxo],
    ['ethereum', { ...lab.adapter, network: networks.get('ethereum') as EvmNetwork }],
  ])
  await new MockActivityEnvironment().run(createRescanActivities({ sql, adapters }).runRescan, id)
}

const deposits = async (address: string) =>
  (await api.call({ path: `/api/v1/deposits?address=${address}` })).json.data
const balance = async (network: string, coin: string, user: string) =>
  (await api.call({ path: `/api/v1/balances?user_reference=${user}&network=${network}&coin=${coin}` })).json
    .data[0]?.available

describe('Bitcoin', () => {
  test('finds what the watcher missed, names it once, and credits it once', async () => {
    const address = await issue('bitcoin', 'alice')
    const txid = await unseen('bitcoin', address, () => bitcoin.fund(address, 50_000_000n))
    expect(await deposits(address)).toEqual([])

    const found = await audit('bitcoin')
    expect(differencesOf(found)).toMatchObject([
      { address, expected: '0.5', actual: null, outpoint: expect.stringContaining(txid) },
    ])
    for (let run = 0; run < 2; run++) {
      const outpoint = expect.stringContaining(txid)
      expect(await reconcile('bitcoin')).toMatchObject({
        status: 'differences',
        checks: [{ name: 'chain:bitcoin', ok: false, differences: [{ address, outpoint, expected: '0.5' }] }],
      })
      expect(await exceptions()).toMatchObject([
        { kind: 'unattributed', status: 'open', evidence: { address, outpoint } },
      ])
    }

    expect(await rescan({ network: 'bitcoin', address })).toMatchObject({
      status: 'completed',
      progress: 1,
      blocks: 1,
      deposits: 1,
      address,
    })
    await settle(sql, networks)
    expect(await balance('bitcoin', 'btc', 'alice')).toBe('0.5')
    expect(await exceptions()).toMatchObject([{ status: 'resolved' }])

    // Again, in each way, and at the same moment as another rescan and the watcher.
    const height = found.block.height
    await bitcoin.mine(1)
    await Promise.all([
      rescan({ network: 'bitcoin', transaction_hash: txid }),
      rescan({ network: 'bitcoin', from_block: height - 5, to_block: height }),
      advanceChain(sql, utxo),
    ])
    await settle(sql, networks)
    expect(await deposits(address)).toHaveLength(1)
    expect(await balance('bitcoin', 'btc', 'alice')).toBe('0.5')
    expect(differencesOf(await audit('bitcoin'))).toEqual([])
  })

  test('credits a block that the watcher skipped, with its header gone', async () => {
    const address = await issue('bitcoin', 'gap')
    const txid = await unseen('bitcoin', address, () => bitcoin.fund(address, 10_000_000n))
    const { block } = await utxo.outcome(txid).then((outcome) => {
      if (outcome.kind !== 'mined') throw new Error(outcome.kind)
      return outcome
    })
    await sql`DELETE FROM chain_blocks WHERE network = 'bitcoin' AND height = ${block.height}`
    expect(
      await rescan({ network: 'bitcoin', from_block: block.height - 1, to_block: block.height + 1 }),
    ).toMatchObject({
      status: 'completed',
      blocks: 3,
      blocks_done: 3,
      deposits: 1,
    })
    await settle(sql, networks)
    expect(await balance('bitcoin', 'btc', 'gap')).toBe('0.1')
    expect(differencesOf(await audit('bitcoin'))).toEqual([])
  })

  test('goes on after a crash between two blocks, and counts each deposit once', async () => {
    const address = await issue('bitcoin', 'crash')
    await unseen('bitcoin', address, () => bitcoin.fund(address, 20_000_000n))
    const { height } = await utxo.head()
    const body = { network: 'bitcoin', from_block: height - 4, to_block: height }
    const { json } = await api.call({ method: 'POST', path: '/api/v1/admin/rescan', body, key: operator })
    // A process that dies when it has recorded the blocks, and before it ends the rescan.
    await rescanBlocks(sql, utxo, height - 4, height)
    expect(await deposits(address)).toHaveLength(1)
    await run(json.data.id)
    await run(json.data.id)
    const read = await api.call({ path: `/api/v1/admin/rescan/${json.data.id}`, key: operator })
    expect(read.json.data).toMatchObject({ status: 'completed', blocks_done: 5, deposits: 0 })
    expect(await deposits(address)).toHaveLength(1)
  })

  test('records nothing while its node has another chain than the watcher', async () => {
    const address = await issue('bitcoin', 'branch')
    const txid = await unseen('bitcoin', address, () => bitcoin.fund(address, 30_000_000n))
    const { height } = await utxo.head()
    const elsewhere: ChainAdapter = { ...(utxo as UtxoAdapter), hashAt: async () => 'ab'.repeat(32) }
    await expect(rescanBlocks(sql, elsewhere, height - 3, height)).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      retryable: true,
    })
    // Its blocks are of the chain that the node says, and a block of the books contradicts them.
    const [known] = await sql<{ hash: string }[]>`
      SELECT hash FROM chain_blocks WHERE network = 'bitcoin' AND height = ${height - 1}`
    await sql`UPDATE chain_blocks SET hash = 'other' WHERE network = 'bitcoin' AND height = ${height - 1}`
    await expect(rescanBlocks(sql, utxo, height - 3, height)).rejects.toMatchObject({ retryable: true })
    expect(await sql`SELECT 1 FROM deposits WHERE txid = ${txid}`).toEqual([])
    await sql`UPDATE chain_blocks SET hash = ${known!.hash} WHERE network = 'bitcoin' AND height = ${height - 1}`
    await rescanBlocks(sql, utxo, height - 3, height)
    expect(await sql`SELECT status FROM deposits WHERE txid = ${txid}`).toHaveLength(1)
  })

  test('says why a transaction cannot be scanned', async () => {
    expect(await rescan({ network: 'bitcoin', transaction_hash: 'ab'.repeat(32) })).toMatchObject({
      status: 'failed',
      failure: { code: 'NOT_FOUND' },
    })
  })
})

describe('Ethereum', () => {
  test('finds native coins and tokens with their blocks and transactions, and credits each once', async () => {
    const address = (await issue('ethereum', 'bob')) as `0x${string}`
    const [native, token] = await unseen('ethereum', address, async () => {
      const first = await lab.send({ to: address, value: 700n })
      await lab.anvil.mine(2)
      return [first, await lab.usdt.mint(address, 9_000_000n)] as const
    })
    // The watcher notices the coins later, without their transactions.
    const look = createAccountLook()
    await compareAccounts(sql, lab.adapter, look)
    await compareAccounts(sql, lab.adapter, look)
    const before = (await exceptions()).filter(({ status }) => status === 'open')
    expect(before).toHaveLength(2)

    const found = await audit('ethereum')
    expect(differencesOf(found)).toMatchObject([
      { address, coin: 'eth', expected: '0.0000000000000007', actual: '0' },
      { address, coin: 'usdt', expected: '9', actual: '0' },
    ])
    const reasons = differencesOf(found).map(({ reason }) => reason)
    expect(reasons).toEqual([
      expect.stringMatching(new RegExp(`0.0000000000000007 eth in block \\d+ by ${native}$`)),
      expect.stringMatching(new RegExp(`9 usdt in block \\d+ by ${token}$`)),
    ])
    // The watcher has named the same coins, so there is no second exception for them.
    expect(await reconcile('ethereum')).toMatchObject({ status: 'differences' })
    expect((await exceptions()).filter(({ status }) => status === 'open')).toEqual(before)

    await believesNoNodeAlone(address)

    expect(await rescan({ network: 'ethereum', address })).toMatchObject({
      status: 'completed',
      blocks: 2,
      deposits: 2,
    })
    await lab.anvil.mine(3)
    await advanceChain(sql, lab.adapter)
    await settle(sql, networks)
    expect(await balance('ethereum', 'usdt', 'bob')).toBe('9')
    expect(await balance('ethereum', 'eth', 'bob')).toBe('0.0000000000000007')
    expect((await exceptions()).filter(({ status }) => status === 'open')).toEqual([])
    expect(await sql`SELECT * FROM balance_rises`).toEqual([])

    for (const transaction_hash of [native, token]) await rescan({ network: 'ethereum', transaction_hash })
    await settle(sql, networks)
    expect(await deposits(address)).toHaveLength(2)
    expect(differencesOf(await audit('ethereum'))).toEqual([])
  })
})

/** Requires that no single node hides or invents where missed coins came in, first or second of two. */
async function believesNoNodeAlone(address: string): Promise<void> {
  const node = await lyingNode(lab.anvil.rpc)
  const height = Number(await lab.anvil.call('eth_blockNumber'))
  const old = (at: unknown) => (at as { blockHash?: string }).blockHash
  const head = (await lab.anvil.call('eth_getBlockByNumber', `0x${height.toString(16)}`, false)) as {
    hash: string
  }
  const lies: LyingNode['lie'][] = [
    // It hides the transfers of tokens, the transactions of a block, or that the balance ever rose.
    ({ method }, result) => (method === 'eth_getLogs' ? [] : result),
    ({ method, params }, result) =>
      method === 'eth_getBlockByNumber' && params[1] === true
        ? { ...(result as object), transactions: [] }
        : result,
    ({ method, params }, result) =>
      method === 'eth_getBalance' && params[0] === address && old(params[1]) !== head.hash ? '0x2bc' : result,
    // It invents a transaction.
    ({ method }, result) =>
      method === 'eth_getLogs'
        ? [...(result as unknown[]), { transactionHash: `0x${'ab'.repeat(32)}` }]
        : result,
  ]
  try {
    for (const lie of lies) {
      node.lie = lie
      for (const rpcUrls of [
        [node.url, lab.anvil.rpc],
        [lab.anvil.rpc, node.url],
      ])
        await expect(audit('ethereum', rpcUrls)).rejects.toThrow(/name different deposits of 0x/)
    }
    // One that keeps no old balances says nothing, and the other one is asked.
    node.lie = ({ method, params }, result) =>
      /^eth_(getBalance|call)$/.test(method) && old(params[1]) !== head.hash
        ? new Error('missing trie node')
        : result
    const { findings } = await audit('ethereum', [node.url, lab.anvil.rpc])
    expect(findings.differences.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('in block'),
      expect.stringContaining('in block'),
    ])
  } finally {
    await node.stop()
  }
}

test('a rise that no transaction shows is no difference once it has its exception', async () => {
  const address = (await issue('ethereum', 'dust')) as `0x${string}`
  // As a contract does that destroys itself in favour of the address.
  await lab.anvil.call('anvil_setBalance', address, '0x1')
  await lab.anvil.mine(1)
  await advanceChain(sql, lab.adapter)
  expect(differencesOf(await audit('ethereum'))).toMatchObject([{ address, actual: '0' }])
  const look = createAccountLook()
  for (let left = 3; left > 0; left--) await compareAccounts(sql, lab.adapter, look)
  const open = (await exceptions()).filter(({ status }) => status === 'open')
  expect(open).toMatchObject([{ kind: 'unattributed', evidence: { source: 'unexplained', address } }])
  const { findings } = await audit('ethereum')
  expect(findings.differences).toEqual([])
  expect(findings.expected).toMatchObject([{ address, expected: '0.000000000000000001', actual: null }])
  expect(await reconcile('ethereum')).toMatchObject({ status: 'clean' })
  expect((await exceptions()).filter(({ status }) => status === 'open')).toEqual(open)
  // One wei less than noticed is a difference all the same.
  await sql`UPDATE balance_rises SET amount = 2`
  expect(differencesOf(await audit('ethereum'))).toMatchObject([{ address }])
})

test('finds what came to an address before it was stored, and a rescan credits it', async () => {
  const [account] = await sql<{ id: string; xpub: string; next_index: number }[]>`
    SELECT id, xpub, next_index FROM key_accounts WHERE network = 'bitcoin' AND role = 'deposit'`
  // As after a backup that lacks the last addresses.
  const { address } = deriveAddress({
    network: utxo.network,
    xpub: account!.xpub,
    branch: 0,
    index: account!.next_index + 30,
  })
  const txid = await bitcoin.fund(address, 60_000_000n)
  await bitcoin.mine(3)
  await advanceChain(sql, utxo)
  expect(differencesOf(await audit('bitcoin'))).toEqual([])
  const [before] = await sql<{ height: bigint }[]>`SELECT height FROM audited_chains`
  expect(Number(before?.height)).toBe((await utxo.head()).height)

  const used = async (list: readonly string[]) => list.map((each) => each === address)
  await fastForwardAddresses(sql, { ...(utxo as UtxoAdapter), used }, { gap: 0 })
  const outpoint = expect.stringContaining(txid)
  for (let run = 0; run < 2; run++)
    expect(differencesOf(await audit('bitcoin'))).toMatchObject([{ address, outpoint, expected: '0.6' }])
  expect(await rescan({ network: 'bitcoin', address })).toMatchObject({ status: 'completed', deposits: 1 })
  await settle(sql, networks)
  expect(differencesOf(await audit('bitcoin'))).toEqual([])
  // The record was read again once.
  const node = await lyingNode(bitcoin.rpc)
  await audit('bitcoin', [node.url])
  expect(node.calls.get('getblock')).toBeUndefined()
  await node.stop()
})

test('a rescan of Bitcoin does not hold an output that a later block has spent', async () => {
  const address = await issue('bitcoin', 'spent')
  const txid = await unseen('bitcoin', address, () => bitcoin.fund(address, 40_000_000n))
  const { block } = await audit('bitcoin')
  const [seen] = await sql<{ vout: number; height: bigint }[]>`
    UPDATE audited_outputs SET spent_height = ${block.height - 1}
    WHERE txid = ${txid} RETURNING vout, height`
  const [made, spentIn] = [Number(seen?.height), block.height - 1]
  // As if a stranger who has the key had spent it there.
  const [by] = (await utxo.blocks(spentIn, spentIn))[0]!.txids
  const spending: ChainAdapter = {
    ...(utxo as UtxoAdapter),
    blocks: async (from, to) =>
      (await utxo.blocks(from, to)).map((each) =>
        each.height === spentIn
          ? { ...each, spends: [...each.spends, { txid: by!, prevTxid: txid, prevVout: seen!.vout }] }
          : each,
      ),
  }
  const body = { network: 'bitcoin', from_block: made, to_block: made }
  const { json } = await api.call({ method: 'POST', path: '/api/v1/admin/rescan', body, key: operator })
  const adapters = new Map([['bitcoin', spending]])
  await new MockActivityEnvironment().run(createRescanActivities({ sql, adapters }).runRescan, json.data.id)
  expect(made).toBeLessThan(spentIn)
  expect(await sql`SELECT spent_by, spent_at_block FROM utxos WHERE txid = ${txid}`).toEqual([
    { spent_by: by, spent_at_block: BigInt(spentIn) },
  ])
  expect((await audit('bitcoin')).findings.differences).toEqual([])
})

describe('a watcher that stopped without a word', () => {
  /** Compares at the block that a run chooses by itself. */
  const compare = (network: Network) =>
    auditChain(sql, { merchantId: api.merchantId, network, atBlock: null, key: randomUUID() })

  test.each([
    ['bitcoin', 6],
    ['ethereum', 60],
  ])('is found on %s by comparisons and searches, also when its own node has stopped', async (name, most) => {
    const configured = networks.get(name) as Network
    const address = await issue(name, 'stopped')
    await advanceChain(sql, adapterOf(name))
    const height = (await adapterOf(name).head()).height
    const mineMany = (count: number) =>
      name === 'bitcoin' ? bitcoin.mine(count) : lab.anvil.call('anvil_mine', `0x${count.toString(16)}`)
    await mineMany(most)
    expect((await compare(configured)).kind).toBe('compared')
    expect(await rescan({ network: name, address })).toMatchObject({ status: 'completed', blocks: 0 })

    await mineMany(1)
    const found = {
      code: 'BOOKS_BEHIND',
      message: `The books of ${name} are scanned up to block ${height}, and a node is at block ${height + most + 1}`,
    }
    expect(await compare(configured)).toEqual({ kind: 'failed', ...found })
    expect(await rescan({ network: name, address })).toMatchObject({ status: 'failed', failure: found })

    const [real] = configured.rpcUrls
    const stopped = await lyingNode(real!)
    stopped.lie = ({ method }, result) =>
      method === 'getblockcount' ? height : method === 'eth_blockNumber' ? `0x${height.toString(16)}` : result
    try {
      expect((await compare({ ...configured, rpcUrls: [stopped.url] })).kind).toBe('compared')
      expect(await compare({ ...configured, rpcUrls: [stopped.url, real!] })).toMatchObject(found)
    } finally {
      await stopped.stop()
    }
    // An older block that a person names is compared all the same.
    const { block } = await audit(name)
    expect(block.height).toBe(height)
  })
})

describe('the operator alone', () => {
  test('may rescan', async () => {
    const body = { network: 'bitcoin', from_block: 1, to_block: 2 }
    const { status, json } = await api.call({ method: 'POST', path: '/api/v1/admin/rescan', body })
    expect([status, json.error.code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
    const read = await api.call({ path: '/api/v1/admin/rescan/rsc_unknown', key: operator })
    expect(read.status).toBe(404)
    // Nor does the operator's key reach anything of a merchant.
    expect((await api.call({ path: '/api/v1/deposits', key: operator })).status).toBe(403)
  })

  test('has the scope: no key of a merchant takes it, and no key of the operator another', async () => {
    await expect(api.newKey({ scopes: ['read', 'operator'] })).rejects.toThrow(/api_keys_operator/)
    await expect(api.newKey({ merchantId: 'operator', scopes: ['admin'] })).rejects.toThrow(
      /api_keys_operator/,
    )
  })

  test.each([
    [{}, 400, 'VALIDATION_FAILED'],
    [{ from_block: 5 }, 400, 'VALIDATION_FAILED'],
    [{ from_block: 5, to_block: 4 }, 400, 'VALIDATION_FAILED'],
    [{ from_block: 0, to_block: 10_000 }, 400, 'VALIDATION_FAILED'],
    [{ from_block: 1, to_block: 2, address: 'x' }, 400, 'VALIDATION_FAILED'],
    [{ transaction_hash: 'ab' }, 400, 'VALIDATION_FAILED'],
    [{ from_block: 9_000, to_block: 9_001 }, 422, 'BLOCK_NOT_SCANNED'],
    [{ address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080' }, 404, 'NOT_FOUND'],
    [{ network: 'dogecoin', from_block: 1, to_block: 2 }, 422, 'UNSUPPORTED_NETWORK'],
  ])('is refused %j', async (fields, status, code) => {
    const answer = await api.call({
      method: 'POST',
      path: '/api/v1/admin/rescan',
      body: { network: 'bitcoin', ...fields },
      key: operator,
    })
    expect([answer.status, answer.json.error.code]).toEqual([status, code])
  })
})
