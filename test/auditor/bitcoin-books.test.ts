/** Compares the books with a Bitcoin chain: by outputs and by addresses, at one block. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import { type BitcoinRail, BTC, openBitcoin } from '../stage/open-bitcoin.js'
import { addressOf, creditDeposits, payOut, untilBroadcast } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import { reconcile } from '../stage/reconcile.js'
import { auditStage, differencesOf } from './audit-stage.js'
import { type LyingNode, lyingNode } from './lying-node.js'

const STRANGER = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'

let rail: BitcoinRail
let node: LyingNode
let txid: string
let address: string

beforeAll(async () => {
  rail = await openBitcoin({ outputs: 3 })
  rail.stage.signer.run(realSigner(rail.stage))
  node = await lyingNode(rail.bitcoin.rpc)
  // Before the deposit, so that it spends another output.
  await payOut(rail.stage, { network: 'bitcoin', coin: 'btc', amount: '0.4', to_address: STRANGER })
  address = await addressOf(rail.stage, 'bitcoin', 'alice')
  txid = await rail.bitcoin.fund(address, 70_000_000n)
  await creditDeposits(rail.stage, txid)
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

const audit = (choice = {}) => auditStage(rail.stage, 'bitcoin', choice)
const sqlOf = () => rail.stage.api.database.sql
/** Blocks that a walk has fetched at most when it pauses. */
const READ_AHEAD = 4

/** Waits until the books are at the tip. */
async function untilScanned(): Promise<number> {
  for (;;) {
    const { height } = await rail.adapter.head()
    const [row] = await sqlOf()<{ height: bigint }[]>`SELECT height FROM chain_cursors`
    if (Number(row?.height) === height) return height
    await sleep(50)
  }
}

/** Changes rows, audits, and undoes the change. */
async function withChange(change: () => Promise<unknown>, undo: () => Promise<unknown>) {
  await change()
  try {
    return differencesOf(await audit())
  } finally {
    await undo()
  }
}

test('finds nothing after deposits and a withdrawal, and reads no block twice', async () => {
  const first = await audit({ rpcUrls: [node.url] })
  expect(differencesOf(first)).toEqual([])
  expect(first).toMatchObject({ kind: 'compared', findings: { expected: [] } })
  const [row] = await sqlOf()<{ count: number }[]>`SELECT count(*)::integer AS count FROM audited_outputs`
  // Three outputs of the wallet, the deposit, and the change of the withdrawal.
  expect(row?.count).toBe(5)
  const read = node.calls.get('getblock') ?? 0
  expect(read).toBeGreaterThan(3)
  expect(differencesOf(await audit({ rpcUrls: [node.url] }))).toEqual([])
  expect(node.calls.get('getblock')).toBe(read)
})

test('is a check of a reconciliation beside those of the ledger, and names its block', async () => {
  const { networks, api } = rail.stage
  const scope = ['chain', 'internal'] as const
  const run = await reconcile(sqlOf(), networks, api.merchantId, { scope, networks: ['bitcoin'] })
  expect(run.checks.flatMap(({ differences }) => differences)).toEqual([])
  expect(run).toMatchObject({ status: 'clean', blocks: [{ network: 'bitcoin' }] })
  expect(run.checks[0]).toMatchObject({ name: 'chain:bitcoin', ok: true })
  expect(run.blocks[0]?.block_hash).toMatch(/^[0-9a-f]{64}$/)
})

describe('names exactly one difference', () => {
  test('for an output that the books lost', async () => {
    const [lost] = await sqlOf()`SELECT * FROM utxos WHERE txid = ${txid}`
    const { txid_key: _generated, ...columns } = lost as Record<string, unknown>
    const found = await withChange(
      () => sqlOf()`DELETE FROM utxos WHERE txid = ${txid}`,
      () => sqlOf()`INSERT INTO utxos ${sqlOf()(columns as never)}`,
    )
    expect(found).toMatchObject([
      { address, outpoint: expect.stringContaining(txid), coin: 'btc', expected: '0.7', actual: null },
    ])
  })

  test('for an output that the books hold although the chain has spent it', async () => {
    const [spent] = await sqlOf()<{ txid: string; vout: number; spent_by: string; spent_at_block: bigint }[]>`
      SELECT txid, vout, spent_by, spent_at_block FROM utxos WHERE spent_at_block IS NOT NULL LIMIT 1`
    const at = sqlOf()`txid = ${spent!.txid} AND vout = ${spent!.vout}`
    const found = await withChange(
      () => sqlOf()`UPDATE utxos SET spent_by = NULL, spent_at_block = NULL WHERE ${at}`,
      () =>
        sqlOf()`
          UPDATE utxos SET spent_by = ${spent!.spent_by}, spent_at_block = ${spent!.spent_at_block} WHERE ${at}`,
    )
    expect(found).toMatchObject([
      { outpoint: `${spent!.txid}:${spent!.vout}`, expected: null, actual: expect.any(String) },
    ])
    expect(found[0]?.reason).toContain(`block ${spent!.spent_at_block}`)
  })

  test('for an output with another amount', async () => {
    const found = await withChange(
      () => sqlOf()`UPDATE utxos SET amount = amount + 1 WHERE txid = ${txid}`,
      () => sqlOf()`UPDATE utxos SET amount = amount - 1 WHERE txid = ${txid}`,
    )
    expect(found).toMatchObject([{ address, expected: '0.7', actual: '0.70000001' }])
  })

  test('for an address whose ledger was changed', async () => {
    const height = await untilScanned()
    const [row] = await sqlOf()<{ id: string }[]>`SELECT id FROM addresses WHERE address = ${address}`
    const entries = (amount: bigint) => [
      { network: 'bitcoin', coin: 'btc', kind: 'chain' as const, owner: row!.id, amount },
      { network: 'bitcoin', coin: 'btc', kind: 'available' as const, owner: 'alice', amount: -amount },
    ]
    const post = (amount: bigint) =>
      postJournal(sqlOf(), {
        merchantId: rail.stage.api.merchantId,
        idempotencyKey: `forged:${amount}`,
        type: 'forged',
        reference: 'forged',
        height,
        entries: entries(amount),
      })
    const found = await withChange(
      () => post(5n),
      () => post(-5n),
    )
    expect(found).toMatchObject([
      { address, account: `chain:${row!.id}`, expected: '0.7', actual: '0.70000005' },
    ])
    expect(found[0]).not.toHaveProperty('outpoint')
  })

  test('for a deposit that the watcher never saw', async () => {
    // While the address is unknown to the watcher, a payment comes in.
    const late = await addressOf(rail.stage, 'bitcoin', 'late')
    await sqlOf()`UPDATE addresses SET match_key = match_key + 1 WHERE address = ${late}`
    const missed = await rail.bitcoin.fund(late, BTC)
    await rail.bitcoin.mine(1)
    await untilScanned()
    await sqlOf()`UPDATE addresses SET match_key = match_key - 1 WHERE address = ${late}`
    expect(differencesOf(await audit())).toMatchObject([
      { address: late, outpoint: expect.stringContaining(missed), expected: '1', actual: null },
    ])
    // The rest of the tests go on without it.
    await sqlOf()`DELETE FROM audited_outputs WHERE txid = ${missed}`
  })
})

test('takes what is in flight for expected, at every block of its way', async () => {
  const deposit = await rail.bitcoin.fund(address, 10_000_000n)
  const id = await untilBroadcast(rail.stage, {
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.2',
    to_address: STRANGER,
  })
  const before = await audit()
  expect(differencesOf(before)).toEqual([])
  await rail.bitcoin.mine(1)
  const height = await untilScanned()
  const mined = await audit()
  expect(differencesOf(mined)).toEqual([])
  expect(mined).toMatchObject({
    findings: {
      expected: [
        { subject: { type: 'deposit' }, address, expected: '0.1', actual: null },
        { subject: { type: 'withdrawal', id }, expected: null, actual: '0.2' },
      ],
    },
  })
  expect(mined.kind === 'compared' && mined.findings.expected[0]?.outpoint).toContain(deposit)
  await rail.mining(true)
  await rail.stage.until(id, 'confirmed', 60)
  await creditDeposits(rail.stage, deposit)
  await rail.mining(false)
  await untilScanned()
  expect(differencesOf(await audit())).toEqual([])
  // What was booked since belongs to later blocks.
  for (const atBlock of [height - 1, height]) expect(differencesOf(await audit({ atBlock }))).toEqual([])
})

describe('keeps its record of the chain', () => {
  const walked = async () => (await sqlOf()`SELECT first_block, height, hash FROM audited_chains`)[0]

  test('when a run asks for a block below the first one of the books, and refuses that block', async () => {
    expect(differencesOf(await audit())).toEqual([])
    const before = await walked()
    const [known] = await sqlOf()<{ height: bigint }[]>`SELECT min(height) AS height FROM chain_blocks`
    // The books begin above, as those of a platform do that was installed when the chain was long.
    await sqlOf()`UPDATE audited_chains SET first_block = ${Number(known?.height) + 1}`
    await sqlOf()`DELETE FROM chain_blocks WHERE height = ${known!.height}`
    const result = await audit({ atBlock: Number(known?.height), startHeight: null })
    expect(result).toMatchObject({ kind: 'failed', code: 'BLOCK_NOT_SCANNED' })
    expect(await walked()).toMatchObject({ height: before!.height, hash: before!.hash })
    await sqlOf()`UPDATE audited_chains SET first_block = ${before!.first_block}`
  })

  test('when a node that is behind the record has the block of the run', async () => {
    const height = await untilScanned()
    expect(differencesOf(await audit())).toEqual([])
    const before = await walked()
    node.lie = ({ method, params }, result) =>
      method === 'getblockhash' && Number(params[0]) >= height
        ? new Error('Block number out of range')
        : result
    expect(differencesOf(await audit({ atBlock: height - 1, rpcUrls: [node.url] }))).toEqual([])
    expect(await walked()).toEqual(before)
  })

  test('when a node refuses to name the hash of a block', async () => {
    const height = await untilScanned()
    expect(differencesOf(await audit())).toEqual([])
    await rail.bitcoin.mine(1)
    await untilScanned()
    const before = await walked()
    for (const why of ['Too many requests', 'Block number out of range']) {
      node.lie = ({ method, params }, result) =>
        method === 'getblockhash' && Number(params[0]) === height ? new Error(why) : result
      const result = await audit({ rpcUrls: [node.url] }).catch((error: unknown) => error)
      expect(result).toMatchObject({ name: 'AuditFailure', passing: true })
      expect(await walked()).toEqual(before)
    }
  })
})

test('notices a reorganisation, and reads the new branch', async () => {
  const deposit = await rail.bitcoin.fund(address, 30_000_000n)
  await rail.bitcoin.mine(2)
  const height = await untilScanned()
  expect(differencesOf(await audit())).toEqual([])
  const hash = await rail.bitcoin.call('getblockhash', height - 1)
  await rail.bitcoin.call('invalidateblock', hash)
  await rail.bitcoin.mine(3)
  await untilScanned()
  expect(differencesOf(await audit())).toEqual([])
  const [walked] = await sqlOf()<{ hash: string }[]>`
    SELECT hash FROM audited_blocks WHERE height = ${height - 1}`
  expect(walked?.hash).not.toBe(hash)
  await creditAll(deposit)
})

async function creditAll(deposit: string): Promise<void> {
  await rail.mining(true)
  await creditDeposits(rail.stage, deposit)
  await rail.mining(false)
  await untilScanned()
}

describe('fails, and names no difference, when the node', () => {
  const failing = async (code: string) => {
    const result = await audit({ rpcUrls: [node.url] }).catch((error: unknown) => error)
    expect(result).toMatchObject({ code })
    expect(JSON.stringify(result)).not.toContain('pass')
  }
  /** Makes the auditor read blocks again. */
  const forget = async () => {
    await sqlOf()`DELETE FROM audited_outputs`
    await sqlOf()`DELETE FROM audited_blocks`
    await sqlOf()`DELETE FROM audited_chains`
  }

  test('is behind', async () => {
    const height = await untilScanned()
    node.lie = ({ method, params }, result) =>
      method === 'getblockhash' && Number(params[0]) >= height
        ? new Error('Block number out of range')
        : result
    await failing('NODE_BEHIND')
  })

  test('is on another branch', async () => {
    const height = await untilScanned()
    node.lie = ({ method, params }, result) =>
      method === 'getblockhash' && Number(params[0]) === height ? 'ab'.repeat(32) : result
    await failing('NODE_ON_ANOTHER_BRANCH')
  })

  test('serves another chain', async () => {
    node.lie = ({ method, params }, result) =>
      method === 'getblockhash' && params[0] === 0 ? 'cd'.repeat(32) : result
    await failing('NODE_OF_ANOTHER_CHAIN')
  })

  test('leaves an output out of a block, or gives another block', async () => {
    await forget()
    const [paid] = await sqlOf()<
      { block_hash: string }[]
    >`SELECT block_hash FROM deposits WHERE txid = ${txid}`
    node.lie = ({ method, params }, result) => {
      if (method !== 'getblock' || params[0] !== paid?.block_hash) return result
      // 0.7 BTC of the deposit become 0.6.
      return String(result).replace('801d2c0400000000', '0087930300000000')
    }
    await failing('NODE_ANSWERS_WRONG')
    await forget()
    const other = await rail.bitcoin.call('getblock', await rail.bitcoin.call('getblockhash', 1), 0)
    node.lie = ({ method }, result) => (method === 'getblock' ? other : result)
    await failing('NODE_ANSWERS_WRONG')
    node.lie = (_call, result) => result
    expect((await audit({ rpcUrls: [node.url] })).kind).toBe('compared')
  })

  test('does not answer', async () => {
    const result = await audit({ rpcUrls: ['http://user:secret@127.0.0.1:1'] }).catch(
      (error: unknown) => error,
    )
    expect(result).toMatchObject({ code: 'NODE_UNREACHABLE' })
    expect(String((result as Error).message)).not.toContain('secret')
  })
})

test('pauses its walk once the slice is over, and goes on behind the last stored block', async () => {
  await rail.bitcoin.mine(120)
  await untilScanned()
  const whole = differencesOf(await audit())
  await sqlOf()`DELETE FROM audited_outputs`
  await sqlOf()`DELETE FROM audited_blocks`
  await sqlOf()`DELETE FROM audited_chains`
  const choice = { rpcUrls: [node.url], key: 'sliced', isSliceOver: () => true }
  const before = node.calls.get('getblock') ?? 0
  let paused = 0
  let last = await audit(choice)
  for (; last.kind === 'paused'; last = await audit(choice)) paused++
  expect(paused).toBeGreaterThanOrEqual(2)
  expect(differencesOf(last)).toEqual(whole)
  const [walked] = await sqlOf()<{ first: number; last: number }[]>`
    SELECT first_block::integer AS first, height::integer AS last FROM audited_chains`
  const blocks = walked!.last - walked!.first + 1
  // A pause drops the blocks that were read ahead, and no stored one.
  expect((node.calls.get('getblock') ?? 0) - before).toBeLessThanOrEqual(blocks + paused * READ_AHEAD)
})

test('walks again when another run took its record back before the comparison', async () => {
  const forget = async () => {
    await sqlOf()`DELETE FROM audited_outputs`
    await sqlOf()`DELETE FROM audited_blocks`
    await sqlOf()`DELETE FROM audited_chains`
  }
  await forget()
  const before = differencesOf(await audit())
  await forget()
  await sqlOf()`CREATE SEQUENCE taken_back`
  await sqlOf().unsafe(`
    CREATE FUNCTION take_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('taken_back') = 1 THEN
        DELETE FROM audited_outputs; DELETE FROM audited_blocks; DELETE FROM audited_chains;
      END IF;
      RETURN NULL;
    END $$`)
  await sqlOf().unsafe(`
    CREATE CONSTRAINT TRIGGER take_back AFTER INSERT OR UPDATE ON audited_chains DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.height >= ${await untilScanned()}) EXECUTE FUNCTION take_back()`)
  expect(differencesOf(await audit())).toEqual(before)
  const [row] = await sqlOf()<{ taken: bigint }[]>`SELECT last_value AS taken FROM taken_back`
  expect(Number(row?.taken)).toBe(2)
  await sqlOf().unsafe('DROP TRIGGER take_back ON audited_chains')
})
