/** Kills the processes of a withdrawal at every commit, on both families of chains: they pay it once. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MockActivityEnvironment } from '@temporalio/testing'
import { getAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { createSweeperActivities } from '../../../activities/operations/sweeper.js'
import { carryWithdrawal } from '../../../activities/payouts/withdrawal/carry-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { followToEnd } from '../../../activities/payouts/withdrawal/follow-withdrawal.js'
import { createWithdrawalActivities } from '../../../activities/payouts/withdrawal.js'
import type { ChainAdapter } from '../../../chains/adapter.js'
import type { Sql } from '../../../db/connect.js'
import { answerRequest } from '../../../db/signing/answer-request.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import type { Networks } from '../../../domain/chain/network.js'
import { parseAmount } from '../../../domain/money.js'
import type { SigningAnswer } from '../../../domain/signing/signer-protocol.js'
import { faucetKey } from '../../../local/parts/bitcoin-faucet.js'
import { withdrawalId } from '../../../temporal/ids.js'
import { creditDeposits, onChain } from '../../stage/rail-steps.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import { testAnvil } from '../../support/anvil.js'
import { testBtcd } from '../../support/btcd.js'
import { sealOnce } from '../../support/seal-once.js'
import { atEveryCommit } from './at-every-commit.js'

interface Rail {
  readonly coin: string
  /** Returns an address that was never used. */
  stranger(): string
  /** Starts the node. */
  start(): Promise<Node>
}

interface Node {
  readonly networks: Networks
  mine(blocks: number): Promise<unknown>
  /** Gives the wallets enough for all withdrawals, on the chain and in the books. */
  fund(stage: Stage): Promise<void>
  stop(): Promise<void>
}

interface Subject {
  readonly id: string
  readonly recipient: string
  /** Starts and signals that Temporal got. */
  readonly asked: Set<string>
  /** Bytes that the node got. */
  readonly sent: Set<string>
}

const AMOUNT = '0.01'
const silent = { info() {}, warn() {}, error() {} }

const RAILS: Readonly<Record<string, Rail>> = {
  ethereum: {
    coin: 'eth',
    stranger: () => getAddress(`0x${randomBytes(20).toString('hex')}`),
    async start() {
      const anvil = await testAnvil({ mining: 'manual' })
      return {
        networks: testNetworks({ ETHEREUM_ENABLED: 'true', ETHEREUM_RPC: anvil.rpc }),
        mine: (blocks) => anvil.mine(blocks),
        async fund(stage) {
          const { address } = await stage.wallet('ethereum', 'hot')
          const wei = 10n ** 20n
          await anvil.call('anvil_setBalance', address, `0x${wei.toString(16)}`)
          await stage.credit('ethereum', 'eth', '', wei)
        },
        stop: () => anvil.stop(),
      }
    },
  },
  bitcoin: {
    coin: 'btc',
    stranger: () => faucetKey(randomBytes(32)).address,
    async start() {
      const bitcoin = await testBtcd()
      return {
        networks: testNetworks({ BITCOIN_ENABLED: 'true', BITCOIN_RPC: bitcoin.rpc }),
        mine: (blocks) => bitcoin.mine(blocks),
        async fund(stage) {
          const { sql } = stage.api.database
          const adapter = stage.adapters.get('bitcoin') as ChainAdapter
          await advanceChain(sql, adapter)
          const { address } = await stage.wallet('bitcoin', 'hot')
          const txid = await bitcoin.fund(address, parseAmount('20', 8))
          await bitcoin.mine(3)
          await advanceChain(sql, adapter)
          await creditDeposits(stage, txid)
        },
        stop: () => bitcoin.stop(),
      }
    },
  },
}

describe.each(Object.entries(RAILS))('on %s', (network, { coin, start, stranger }) => {
  let node: Node
  let stage: Stage
  let funds: bigint
  let subject: Subject
  const available = () => stage.balance(network, coin, 'available', '')

  beforeAll(async () => {
    node = await start()
    stage = await startStage({
      networks: node.networks,
      // Records all bytes that reach the node.
      wrap: (adapter) =>
        new Proxy(adapter, {
          get(target, name) {
            if (name !== 'broadcast') return Reflect.get(target, name)
            return (bytes: string) => {
              subject.sent.add(bytes)
              return target.broadcast(bytes)
            }
          },
        }),
    })
    await node.fund(stage)
    funds = await available()
  })
  afterAll(async () => {
    await stage?.close()
    await node?.stop()
  })

  /** Makes a withdrawal that two people approved while Temporal was out of reach. */
  async function approved(): Promise<Subject> {
    await node.mine(3)
    const { sql } = stage.api.database
    await advanceChain(sql, stage.adapters.get(network) as ChainAdapter)
    const recipient = stranger()
    const id = await stage.request({ network, coin, amount: AMOUNT, to_address: recipient })
    await stage.approve(id)
    subject = { id, recipient, asked: new Set(), sent: new Set() }
    return subject
  }

  /** Runs sweeper, withdrawal workflow, the signer's exchange and sealer, one after the other. */
  async function live(
    sql: Sql,
    { id, asked }: Subject,
    until: 'confirming' | 'confirmed' = 'confirmed',
  ): Promise<void> {
    const { networks, adapters } = stage
    const core = createWithdrawalActivities({ sql, networks, rebroadcastMs: 500 })
    const chain = { sql, networks, adapters }
    await sweep(sql, asked)
    for (;;) {
      const { stage: now } = await core.readWithdrawal(id, network)
      switch (now) {
        case 'requested':
        case 'pending_approval':
          await core.advanceWithdrawal(id, network, new Date().toISOString())
          break
        case 'approved':
        case 'building':
        case 'pending_signature':
        case 'signed':
        case 'broadcasting':
          await carry(chain, id)
          break
        case 'confirming': {
          if (until === 'confirming') return
          const found = await followToEnd(chain, id)
          if (found.kind === 'waiting' && found.code === 'AWAITING_SIGNER') await sign(sql)
          else if (found.kind !== 'moved') await node.mine(1)
          break
        }
        case 'confirmed':
          while (await sealOnce(sql, null)) {}
          return
        default:
          throw new Error(`${id} is ${now}`)
      }
    }
  }

  /** Carries the withdrawal to the network, while the signer signs as soon as it can. */
  async function carry(chain: WithdrawalChainDependencies, id: string): Promise<void> {
    const live = { over: false }
    const carrying = new MockActivityEnvironment().run(carryWithdrawal, chain, id, false).finally(() => {
      live.over = true
    })
    const signing = async () => {
      while (!live.over) {
        const [row] = await stage.api.database
          .sql`SELECT FROM payouts WHERE id = ${id} AND stage = 'pending_signature'`
        if (row) return sign(chain.sql)
        await sleep(5)
      }
    }
    await Promise.all([carrying, signing()])
  }

  async function sweep(sql: Sql, asked: Set<string>): Promise<void> {
    const { sweep } = createSweeperActivities({
      sql,
      networks: stage.networks,
      gate: {
        startDeposit: async () => true,
        startChainWatcher: async () => {},
        wakePayment: async () => {},
        startWebhookCircuit: async () => {},
        startWebhookReplay: async () => {},
        startConsolidation: async () => {},
        startBatch: async () => true,
        startExport: async () => true,
        startReconciliationRun: async () => true,
        startRescan: async () => true,
        startControlChange: async () => true,
        startWithdrawal: async ({ id }) => Boolean(asked.add(withdrawalId(id))),
        signal: async (id, signal, ...args) => Boolean(asked.add(JSON.stringify([id, signal, args]))),
      },
      log: silent,
      graceMs: 0,
      signalAgainAfterMs: 30_000,
      nonceGapAfterMs: 600_000,
      unansweredAfterMs: 600_000,
      signerOfflineAfterMs: 3_600_000,
      idempotencyWindowMs: 86_400_000,
      webhookRetryIntervalMs: 300_000,
      webhookRetryWindowMs: 86_400_000,
    })
    await sweep()
  }

  /** Claims and answers as the signer does; the lease of a claim ends at once. */
  async function sign(sql: Sql): Promise<void> {
    const { signerId } = stage.signer
    for (const { id, payload } of await claimRequests(sql, signerId, 0)) {
      const answer = {
        ...(await stage.signer.sign(payload)),
        request_id: id,
        journal_head: '0'.repeat(64),
        journal_sequence: 0,
      } as SigningAnswer
      await answerRequest(sql, { id: signerId, merchantId: stage.api.merchantId }, answer)
    }
  }

  async function facts({ id, recipient, asked, sent }: Subject): Promise<unknown> {
    const { sql } = stage.api.database
    const { workflow_started: started, ...row } = (
      await sql`
        SELECT stage, failure_code, waiting, workflow_started_at IS NOT NULL AS workflow_started,
               jsonb_path_query_array(history, '$[*].stage') AS history
        FROM payouts WHERE id = ${id}`
    )[0] as Record<string, unknown>
    const entries = await sql`
      SELECT journal.type, account.kind, account.coin, count(DISTINCT journal.id)::int AS journals
      FROM ledger_journals journal
      JOIN ledger_entries entry ON entry.journal_id = journal.id JOIN ledger_accounts account ON account.id = entry.account_id
      WHERE journal.reference = ${id} GROUP BY journal.type, account.kind, account.coin ORDER BY journal.type, account.kind`
    const events = await sql`
      SELECT type, data ->> 'status' AS status, data ->> 'previous_status' AS previous, body IS NOT NULL AS frozen
      FROM events WHERE subject = ${id} ORDER BY position`
    const audited = await sql`
      SELECT action, hash IS NOT NULL AS hashed FROM audit_log WHERE subject = ${id} ORDER BY position`
    const attempts = await sql`
      SELECT attempt.number, attempt.state, request.state AS request, attempt.nonce IS NOT NULL AS nonce
      FROM attempts attempt JOIN signing_requests request ON request.transaction_id = attempt.id
      WHERE attempt.payout_id = ${id} ORDER BY attempt.number`
    const nonces = await sql`SELECT state FROM nonces WHERE payout_id = ${id}`
    const reserved = await sql`
      SELECT DISTINCT released_at IS NOT NULL AS released FROM utxo_reservations WHERE payout_id = ${id}`
    const signals = [...asked].filter((each) => each.includes('"decide"')).length
    return {
      row,
      started: started && asked.has(withdrawalId(id)),
      signals,
      entries: [...entries],
      events: [...events],
      audited: [...audited],
      attempts: [...attempts],
      nonces: [...nonces],
      reserved: [...reserved],
      transactions: sent.size,
      received: await stage.adapters.get(network)?.balance(recipient, coin),
    }
  }

  /** Expects that each withdrawal was paid once, with nonces in a row, and that the books equal the chain. */
  async function expectExactBooks(): Promise<void> {
    const { sql } = stage.api.database
    const [sums] = await sql<{ withdrawals: number; confirmed: number; cost: bigint }[]>`
      SELECT count(*)::int AS withdrawals, (count(*) FILTER (WHERE stage = 'confirmed'))::int AS confirmed,
             sum(amount + fee) AS cost FROM payouts`
    expect(sums?.confirmed).toBe(sums?.withdrawals)
    expect(await available()).toBe(funds + (sums?.cost ?? 0n))
    expect(await stage.balance(network, coin, 'reserved', '')).toBe(0n)
    const { books, chain } = await onChain(stage, network, coin)
    expect(books).toBe(chain)
    const nonces = await sql<{ nonce: bigint }[]>`SELECT nonce FROM nonces ORDER BY nonce`
    expect(nonces.map(({ nonce }) => Number(nonce))).toEqual(
      network === 'ethereum' ? Array.from({ length: sums?.withdrawals ?? 0 }, (_, index) => index) : [],
    )
    const sequences = await sql<{ sequence: bigint }[]>`SELECT sequence FROM events ORDER BY sequence`
    expect(sequences.map(({ sequence }) => Number(sequence))).toEqual(sequences.map((_, index) => index + 1))
  }

  const life = {
    live: (sql: Sql, subject: Subject) => live(sql, subject),
    facts,
  }

  test('pays a withdrawal once, with every event, at whichever commit its process is killed', async () => {
    const commits = await atEveryCommit(stage.api.database, { ...life, prepare: approved })
    // Swept, admitted, approved, built, handed out, answered, signed, sent, recorded, settled, sealed. One activity
    // carries the withdrawal from built to recorded, and dies between each two of them.
    expect(commits).toBeGreaterThan(20)
    await expectExactBooks()
  }, 300_000)

  test('pays a withdrawal that is sped up once, with the higher fee, at whichever commit its process is killed', async () => {
    const commits = await atEveryCommit(stage.api.database, {
      ...life,
      async prepare() {
        const subject = await approved()
        await live(stage.api.database.sql, subject, 'confirming')
        const path = `/api/v1/withdrawals/${subject.id}/speed-up`
        const { status, json } = await stage.api.call({ method: 'POST', path, body: {} })
        if (status !== 200) throw new Error(JSON.stringify(json))
        return subject
      },
      async facts(subject) {
        const { transactions, attempts, ...rest } = (await facts(subject)) as Record<string, unknown>
        // Both attempts were sent, and the second was mined.
        expect(transactions).toBe(2)
        expect(attempts).toMatchObject([{ state: 'replaced' }, { state: 'final' }])
        return rest
      },
    })
    expect(commits).toBeGreaterThan(10)
    await expectExactBooks()
  }, 300_000)
})
