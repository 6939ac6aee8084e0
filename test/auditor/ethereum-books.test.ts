/** Compares the books with an EVM chain: balances of accounts in the native coin and in tokens, at one block. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { auditChain } from '../../activities/books/audit/audit-chain.js'
import { readChainAudit, saveChainAudit } from '../../db/auditor/chain-audit-row.js'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { addressOf, creditDeposits, payOut, untilBroadcast } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import { auditStage, differencesOf } from './audit-stage.js'
import { type LyingNode, lyingNode } from './lying-node.js'

const ETHER = 10n ** 18n
const STRANGER = '0x00000000000000000000000000000000000A11cE'

let rail: EthereumRail
let node: LyingNode
let address: string
let addressId: string

beforeAll(async () => {
  rail = await openEthereum({ wei: 5n * ETHER, usdt: 0n })
  rail.stage.signer.run(realSigner(rail.stage))
  node = await lyingNode(rail.anvil.rpc)
  address = await addressOf(rail.stage, 'ethereum', 'alice')
  const [row] = await sqlOf()<{ id: string }[]>`SELECT id FROM addresses WHERE address = ${address}`
  addressId = row!.id
  await creditDeposits(rail.stage, await rail.send(address, ETHER))
  await creditDeposits(rail.stage, await rail.usdt.mint(address as `0x${string}`, 7_000_000n))
  const hot = await rail.stage.wallet('ethereum', 'hot')
  await creditDeposits(rail.stage, await rail.usdt.mint(hot.address as `0x${string}`, 1_000_000_000n))
  await payOut(rail.stage, { network: 'ethereum', coin: 'eth', amount: '0.4', to_address: STRANGER })
  await payOut(rail.stage, { network: 'ethereum', coin: 'usdt', amount: '20', to_address: STRANGER })
  await rail.mining(false)
  await untilScanned()
})
afterAll(async () => {
  await node?.stop()
  await rail?.close()
})
beforeEach(() => {
  node.lie = (_call, result) => result
})

const audit = (choice = {}) => auditStage(rail.stage, 'ethereum', choice)
const sqlOf = () => rail.stage.api.database.sql

async function untilScanned(): Promise<number> {
  for (;;) {
    const height = Number(await rail.reader.getBlockNumber())
    const [row] = await sqlOf()<{ height: bigint }[]>`SELECT height FROM chain_cursors`
    if (Number(row?.height) === height) return height
    await sleep(50)
  }
}

/** Books an amount on an address, at the newest block. */
async function forge(coin: string, amount: bigint): Promise<void> {
  await postJournal(sqlOf(), {
    merchantId: rail.stage.api.merchantId,
    idempotencyKey: `forged:${coin}:${amount}`,
    type: 'forged',
    reference: 'forged',
    height: await untilScanned(),
    entries: [
      { network: 'ethereum', coin, kind: 'chain', owner: addressId, amount },
      { network: 'ethereum', coin, kind: 'available', owner: 'alice', amount: -amount },
    ],
  })
}

test('finds nothing after deposits and withdrawals, with a call for each address and coin', async () => {
  const before = node.calls.get('eth_getBalance') ?? 0
  const result = await audit({ rpcUrls: [node.url] })
  expect(differencesOf(result)).toEqual([])
  expect(result).toMatchObject({ kind: 'compared', findings: { expected: [] } })
  const [row] = await sqlOf()<{ count: number }[]>`SELECT count(*)::integer AS count FROM addresses`
  expect(result).toMatchObject({ examined: 2 * row!.count })
  expect((node.calls.get('eth_getBalance') ?? 0) - before).toBe(row!.count)
  expect(node.calls.get('eth_call')).toBe(row!.count)
})

test.each([
  ['eth', '1', '1.000000000000000005'],
  ['usdt', '7', '7.000005'],
])('names exactly one difference for a forged entry in %s', async (coin, expected, actual) => {
  await forge(coin, 5n)
  expect(differencesOf(await audit())).toEqual([
    {
      subject: { type: 'address', id: addressId },
      address,
      account: `chain:${addressId}`,
      network: 'ethereum',
      coin,
      expected,
      actual,
      reason: expect.stringContaining('less than the books'),
    },
  ])
  await forge(coin, -5n)
  expect(differencesOf(await audit())).toEqual([])
})

test('takes what is in flight for expected, at every block of its way', async () => {
  const before = await untilScanned()
  const requests = [
    { network: 'ethereum', coin: 'eth', amount: '0.2', to_address: STRANGER },
    { network: 'ethereum', coin: 'usdt', amount: '3', to_address: STRANGER },
  ]
  const ids: string[] = []
  for (const request of requests) ids.push(await untilBroadcast(rail.stage, request))
  const deposit = await rail.send(address, ETHER / 2n)
  expect(differencesOf(await audit())).toEqual([])
  await rail.anvil.mine(1)
  const height = await untilScanned()
  const mined = await audit()
  expect(differencesOf(mined)).toEqual([])
  expect(
    mined.kind === 'compared' && mined.findings.expected.map((each) => each.subject.type).sort(),
  ).toEqual(['deposit', 'withdrawal', 'withdrawal'])
  await rail.mining(true)
  for (const id of ids) await rail.stage.until(id, 'confirmed', 60)
  await creditDeposits(rail.stage, deposit)
  await rail.mining(false)
  await untilScanned()
  for (const atBlock of [before, height, undefined])
    expect(differencesOf(await audit(atBlock === undefined ? {} : { atBlock }))).toEqual([])
})

describe('a receipt of a payout that waits for its confirmations', () => {
  let id: string
  let txid: string

  beforeAll(async () => {
    id = await untilBroadcast(rail.stage, {
      network: 'ethereum',
      coin: 'usdt',
      amount: '3',
      to_address: STRANGER,
    })
    await rail.anvil.mine(1)
    await untilScanned()
    const [row] = await sqlOf()<{ txid: string }[]>`SELECT txid FROM attempts WHERE state = 'mined'`
    txid = row!.txid
  })
  afterAll(async () => {
    await rail.mining(true)
    await rail.stage.until(id, 'confirmed', 60)
    await rail.mining(false)
    await untilScanned()
  })

  const RECEIPT = 'eth_getTransactionReceipt'
  const lies: readonly (readonly [string, (receipt: Record<string, unknown>) => unknown])[] = [
    ['another fee', (receipt) => ({ ...receipt, gasUsed: '0x1' })],
    ['no transfer', (receipt) => ({ ...receipt, logs: [] })],
    ['a failure', (receipt) => ({ ...receipt, status: '0x0' })],
  ]

  test.each(lies)(
    'is believed of no node that reports %s, when another knows better',
    async (_name, change) => {
      node.lie = ({ method }, result) => (method === RECEIPT ? change(result as never) : result)
      for (const rpcUrls of [
        [node.url, rail.anvil.rpc],
        [rail.anvil.rpc, node.url],
      ]) {
        const result = await audit({ rpcUrls })
        expect(result).toMatchObject({ kind: 'failed', code: 'NODES_DISAGREE' })
        expect(result.kind === 'failed' && result.message).toContain(txid)
      }
      // Alone it is believed.
      expect(differencesOf(await audit({ rpcUrls: [node.url] }))).not.toEqual([])
    },
  )

  test('neither vanishes nor appears by the word of one node', async () => {
    node.lie = ({ method }, result) => (method === RECEIPT ? null : result)
    expect(await audit({ rpcUrls: [node.url, rail.anvil.rpc] })).toMatchObject({ code: 'NODE_ANSWERS_WRONG' })
    expect(await audit({ rpcUrls: [rail.anvil.rpc, node.url] })).toMatchObject({ code: 'NODES_DISAGREE' })
  })

  test('is in no block above the one that is compared', async () => {
    node.lie = ({ method }, result) =>
      method === RECEIPT ? { ...(result as object), blockNumber: '0xffffff' } : result
    const result = await audit({ rpcUrls: [node.url] }).catch((error: unknown) => error)
    expect(result).toMatchObject({ code: 'NODE_ON_ANOTHER_BRANCH' })
  })

  test('needs no witness that does not answer', async () => {
    node.lie = ({ method }, result) => (method === RECEIPT ? new Error('busy') : result)
    expect(differencesOf(await audit({ rpcUrls: [rail.anvil.rpc, node.url] }))).toEqual([])
  })
})

test('goes on where an earlier one stopped, and keeps what that one found', async () => {
  await forge('eth', 5n)
  const height = await untilScanned()
  const [block] = await sqlOf()<{ hash: string }[]>`SELECT hash FROM chain_blocks WHERE height = ${height}`
  const network = rail.stage.networks.get('ethereum')!
  const found = { differences: [], about: [], expected: [], differenceCount: 7, expectedCount: 0 }
  const [last] = await sqlOf()<{ id: string }[]>`SELECT max(id) AS id FROM addresses`
  await saveChainAudit(sqlOf(), 'stopped', {
    block: { height, hash: block!.hash },
    place: { coin: 'eth', addressId: last!.id },
    examined: 40,
    found,
  })
  const result = await auditChain(sqlOf(), {
    merchantId: rail.stage.api.merchantId,
    network,
    atBlock: null,
    key: 'stopped',
  })
  expect(result).toMatchObject({ block: { height }, findings: { differenceCount: 7 } })
  // The forged entry lies before the place, and USDT after it.
  expect(result.kind === 'compared' && result.findings.differences).toEqual([])
  expect(result.kind === 'compared' && result.examined).toBeGreaterThan(40)
  expect(await readChainAudit(sqlOf(), 'stopped')).toBeNull()
  await forge('eth', -5n)
})

/** Adds addresses beyond one page, to which nothing was ever paid, on the chain and in the books, during a test. */
async function withManyAddresses(work: () => Promise<void>): Promise<void> {
  const sql = sqlOf()
  await sql`
    INSERT INTO addresses (id, merchant_id, network, kind, user_reference, address, payee, match_key, key_account_id,
                           branch, index, derivation_path)
    SELECT 'zzz_' || n, merchant_id, network, 'deposit', 'slice-' || n, '0x' || repeat('e', 32) || lpad(to_hex(n), 8, '0'),
           decode(repeat('e', 32) || lpad(to_hex(n), 8, '0'), 'hex'), n, key_account_id, branch, 1000000 + n, 'm/' || n
    FROM (SELECT * FROM addresses WHERE network = 'ethereum' LIMIT 1) one, generate_series(1, 900) n`
  await work().finally(() => sql`DELETE FROM addresses WHERE id LIKE 'zzz\\_%'`)
}

test('pauses after each page once its slice is over, and compares each balance once', async () => {
  const whole = await audit()
  await withManyAddresses(async () => {
    const choice = { key: 'sliced', isSliceOver: () => true }
    const ends: string[] = []
    let last = await audit(choice)
    for (; last.kind === 'paused'; last = await audit(choice)) ends.push(last.kind)
    expect(ends.length).toBeGreaterThanOrEqual(4)
    const coins = rail.stage.networks.get('ethereum')!.coins.length
    expect(last).toMatchObject({ examined: (whole.kind === 'compared' ? whole.examined : 0) + 900 * coins })
  })
})

test('begins again at a newer block, once, when the node has pruned the balances of a paused comparison', async () => {
  const network = { ...rail.stage.networks.get('ethereum')!, rpcUrls: [node.url] }
  const resume = (key: string, slices = true, atBlock: number | null = null) =>
    auditChain(
      sqlOf(),
      { merchantId: rail.stage.api.merchantId, network, atBlock, key },
      { isSliceOver: () => slices },
    )
  const blockOf = async (key: string) => (await readChainAudit(sqlOf(), key))!.block
  /** Mines a block, and lets the node forget the balances at the one that a comparison stands at. */
  const prune = async (key: string) => {
    const { hash } = await blockOf(key)
    node.lie = ({ params }, result) =>
      (params[1] as { blockHash?: string } | undefined)?.blockHash === hash
        ? new Error('missing trie node 1234')
        : result
    await rail.anvil.mine(1)
    await untilScanned()
  }
  await withManyAddresses(async () => {
    for (const key of ['short', 'long']) expect(await resume(key)).toEqual({ kind: 'paused' })
    const { height } = await blockOf('short')
    expect(await resume('asked', true, height)).toEqual({ kind: 'paused' })
    await prune('short')
    const failed = { kind: 'failed', code: 'NODE_WITHOUT_STATE' }
    expect(await resume('asked', true, height)).toMatchObject(failed)
    const whole = await resume('whole', false)
    expect(await resume('short', false)).toMatchObject({
      kind: 'compared',
      block: { height: height + 1 },
      examined: whole.kind === 'compared' ? whole.examined : 0,
    })
    expect(await resume('long')).toEqual({ kind: 'paused' })
    // It goes on at the newer block.
    expect(await resume('long')).toEqual({ kind: 'paused' })
    expect((await blockOf('long')).height).toBe(height + 1)
    await prune('long')
    expect(await resume('long')).toMatchObject(failed)
    expect(await readChainAudit(sqlOf(), 'long')).toBeNull()
  })
})

describe('fails, and names no difference, when the node', () => {
  const failing = async (code: string, urls = [node.url]) => {
    const result = await audit({ rpcUrls: urls }).catch((error: unknown) => error)
    expect(result).toMatchObject({ code })
  }

  test('is behind', async () => {
    node.lie = ({ method }, result) => (method === 'eth_getBlockByNumber' ? null : result)
    await failing('NODE_BEHIND')
  })

  test('is on another branch', async () => {
    node.lie = ({ method }, result) =>
      method === 'eth_getBlockByNumber' ? { ...(result as object), hash: `0x${'ab'.repeat(32)}` } : result
    await failing('NODE_ON_ANOTHER_BRANCH')
  })

  test('serves another chain', async () => {
    node.lie = ({ method }, result) => (method === 'eth_chainId' ? '0x1' : result)
    await failing('NODE_OF_ANOTHER_CHAIN')
  })

  test('has pruned the balances', async () => {
    node.lie = ({ method }, result) =>
      method === 'eth_getBalance' ? new Error('missing trie node 1234') : result
    await failing('NODE_WITHOUT_STATE')
  })

  test('gives something else than a number', async () => {
    node.lie = ({ method }, result) => (method === 'eth_getBalance' ? 'lots' : result)
    await failing('NODE_ANSWERS_WRONG')
  })

  test('lies about a balance, and another node knows better', async () => {
    node.lie = ({ method, params }, result) =>
      method === 'eth_getBalance' && params[0] === address ? '0x1' : result
    await failing('NODES_DISAGREE', [node.url, rail.anvil.rpc])
    // Alone it is believed.
    expect(differencesOf(await audit({ rpcUrls: [node.url] }))).toMatchObject([{ address, coin: 'eth' }])
  })
})

test('names the accounts of a token that refuses to say a balance, and compares all others', async () => {
  node.lie = ({ method }, result) => (method === 'eth_call' ? new Error('execution reverted') : result)
  const found = differencesOf(await audit({ rpcUrls: [node.url] }))
  expect(found.length).toBeGreaterThan(0)
  for (const each of found) expect(each).toMatchObject({ coin: 'usdt', expected: null })
})

test('refuses a block that the books have not scanned', async () => {
  expect(await audit({ atBlock: (await untilScanned()) + 1 })).toMatchObject({
    kind: 'failed',
    code: 'BLOCK_NOT_SCANNED',
  })
})
