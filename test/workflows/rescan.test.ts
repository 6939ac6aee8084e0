/** Rescans on a real server: the sweeper starts a lost one, and a worker that dies loses nothing. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { restartRescans } from '../../activities/operations/restart-workflows.js'
import { createRescan } from '../../db/chain/rescans/create-rescan.js'
import { findRescan } from '../../db/chain/rescans/find-rescan.js'
import { inTransaction } from '../../db/connect.js'
import { createOperatorKey, OPERATOR } from '../../db/merchants/operator.js'
import { rescanId } from '../../temporal/ids.js'
import { ChainModel } from '../stage/chain-model.js'
import { depositPlatform, eventually, polledFast, quiet } from '../stage/deposit-platform.js'
import { bitcoin, merchantWith, networks, scan } from '../stage/deposit-steps.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'

describe('a rescan', () => {
  const platform = depositPlatform(networks)
  const model = new ChainModel(polledFast(bitcoin))

  beforeEach(async () => {
    const { sql } = platform
    await createOperatorKey(sql, '00'.repeat(32), { name: 'test', ipAllowlist: [] })
    await scan(sql, model.adapter())
  })
  afterEach(() => platform.stopAll())

  /** Pays an address that the watcher does not know yet, and issues it when the block was scanned. */
  async function miss(): Promise<{ readonly txid: string; readonly height: number }> {
    const { sql } = platform
    const merchant = await merchantWith(sql)
    const address = await merchant.address('bitcoin', 'alice')
    await sql`UPDATE addresses SET match_key = match_key + 1 WHERE id = ${address.id}`
    const { txid } = model.pay({ payee: address.payee, coin: 'btc', amount: 100_000n })
    model.mine()
    await scan(sql, model.adapter())
    await sql`UPDATE addresses SET match_key = match_key - 1 WHERE id = ${address.id}`
    const [cursor] = await sql<
      { height: bigint }[]
    >`SELECT height FROM chain_cursors WHERE network = 'bitcoin'`
    return { txid, height: Number(cursor?.height) }
  }

  const request = (from: number, to: number) =>
    inTransaction(platform.sql, (tx) =>
      createRescan(
        tx,
        bitcoin,
        { network: 'bitcoin', from_block: from, to_block: to },
        { merchantId: OPERATOR, actor: 'test', createdBy: 'test' },
      ),
    )

  const restart = () =>
    restartRescans({
      sql: platform.sql,
      networks,
      gate: platform.gate as never,
      graceMs: 0,
      unseenMs: 0,
      log: quiet,
    } as never)

  test('is started by the sweeper when its start was lost, and records what was missed', async () => {
    const { sql } = platform
    const missed = await miss()
    const { id } = await request(missed.height, missed.height)
    expect(await restart()).toBe(1)
    await platform.startWorkers(['core', 'chain'], [model.adapter()])
    await eventually(async () => {
      expect(await findRescan(sql, id)).toMatchObject({ status: 'completed', deposits: 1n })
    })
    expect(await sql`SELECT status FROM deposits WHERE txid = ${missed.txid}`).toEqual([
      { status: expect.stringMatching(/unconfirmed|confirmed|success/) },
    ])
    const handle = platform.temporal.client.workflow.getHandle(rescanId(id))
    await handle.result()
    await storeHistory('rescan.completed', () => handle.fetchHistory())
    // The sweeper leaves one that has ended alone.
    expect(await restart()).toBe(0)
  })
})

test.each(recordedHistories('rescan'))('replays %s', async (name) => {
  await replayHistory(name)
})
