/** Consolidations on an EVM chain: sweeps of ETH and of tokens, with their gas. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSweeperActivities } from '../../../activities/operations/sweeper.js'
import type { EvmAdapter } from '../../../chains/adapter.js'
import type { SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { evmClients, USDT_ABI } from '../../../local/parts/usdt.js'
import { createWorkflowGate } from '../../../temporal/workflow-gate.js'
import { type EthereumRail, openEthereum, replacing } from '../../stage/open-ethereum.js'
import { availableTo, depositsOf } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'
import {
  consolidated,
  creditAsWorkflow,
  expectBooksToBeTheChain,
  movementsOf,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

type Hex = `0x${string}`
const RETRY_MS = 1_500
let rail: EthereumRail
let stage: Stage
/** Action of the signer before its work. `null`: none. */
let instead: ((request: SigningRequest) => Promise<void>) | null = null
let fault: Partial<EvmAdapter> = {}

beforeAll(async () => {
  rail = await openEthereum({
    usdt: 0n,
    wrap: replacing(() => fault),
    change: (networks) =>
      withTreasury(networks, 'ethereum', {
        consolidation: {
          least: { eth: parseEther('0.01'), usdt: 5_000_000n },
          worth: { usdt: parseEther('0.0005') },
          maxFeePercent: 20,
          retryMs: RETRY_MS,
          expiryMs: 3_600_000,
        },
        gasDaily: parseEther('0.5'),
      }),
  })
  stage = rail.stage
  const gas = await stage.wallet('ethereum', 'gas')
  await creditAsWorkflow(stage, rail.temporal, await payEth(gas.address as Hex, '5'))
  const decide = realSigner(stage)
  stage.signer.run(async (request) => {
    await instead?.(request)
    return decide(request)
  })
}, 120_000)
afterAll(() => rail?.close())

const clients = () => evmClients(rail.anvil.rpc, rail.anvil.chainId, rail.anvil.faucetPrivateKey)
const payEth = (to: Hex, amount: string): Promise<Hex> => rail.send(to, parseEther(amount))

async function payUsdt(to: Hex, amount: bigint): Promise<Hex> {
  return rail.usdt.mint(to, amount)
}

let users = 0
async function newAddress(): Promise<{ id: string; address: Hex; user: string }> {
  const user = `user-${++users}`
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network: 'ethereum' },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return { id: json.data.id, address: json.data.address, user }
}

const sweepOf =
  (address: string, coin: string) =>
  (movement: { kind: string; coin: string; from_address: string | null; stage: string }) =>
    movement.kind === 'consolidation' &&
    movement.coin === coin &&
    movement.from_address === address &&
    movement.stage === 'confirmed'

async function blacklist(address: Hex, functionName: 'addBlackList' | 'removeBlackList'): Promise<void> {
  const hash = await clients().wallet.writeContract({
    address: rail.usdt.address,
    abi: USDT_ABI,
    functionName,
    args: [address],
  })
  await rail.reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
}

const depositCount = async () => (await stage.api.database.sql`SELECT 1 FROM deposits`).length
const noteOf = async (id: string, coin: string) => {
  const [row] = await stage.api.database.sql<
    { note: { code: string } | null; due_at: Date | null; failures: number }[]
  >`
    SELECT note, due_at, failures FROM consolidations WHERE address_id = ${id} AND coin = ${coin}`
  return row
}
async function untilNote(id: string, coin: string, code: string) {
  for (let attempt = 0; attempt < 300; attempt++) {
    const row = await noteOf(id, coin)
    if (row?.note?.code === code) return row
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${code}: ${JSON.stringify(await noteOf(id, coin))}`)
}

test('sweeps several deposits of an address at once, leaves out gas × maxFee exactly, and leaves the rest of the fee there', async () => {
  const { id, address, user } = await newAddress()
  const own = await stage.balance('ethereum', 'eth', 'available', '')
  const first = await payEth(address, '1.25')
  const second = await payEth(address, '0.75')
  await rail.reader.waitForTransactionReceipt({ hash: second })
  const before = await depositCount()
  await creditAsWorkflow(stage, rail.temporal, second)
  await creditAsWorkflow(stage, rail.temporal, first)
  const moved = await untilMovement(stage, sweepOf(address, 'eth'))
  await consolidated(rail.temporal, 'ethereum', 'eth', id)
  await untilQuiet(stage)

  const master = await stage.wallet('ethereum', 'master')
  const sweeps = (await movementsOf(stage)).filter(sweepOf(address, 'eth'))
  let arrived = 0n
  let left = 0n
  for (const sweep of sweeps) {
    const transaction = await rail.reader.getTransaction({ hash: sweep.transaction_hash as Hex })
    const receipt = await rail.reader.getTransactionReceipt({ hash: sweep.transaction_hash as Hex })
    expect(transaction.type).toBe('eip1559')
    expect(transaction.to?.toLowerCase()).toBe(master.address.toLowerCase())
    const held = await rail.reader.getBalance({ address, blockNumber: receipt.blockNumber - 1n })
    const most = transaction.gas * (transaction.maxFeePerGas ?? 0n)
    const swept = parseEther(sweep.amount)
    expect(transaction.value).toBe(swept - most)
    expect(held).toBeGreaterThanOrEqual(swept)
    expect(parseEther(sweep.fee)).toBe(receipt.gasUsed * receipt.effectiveGasPrice)
    arrived += transaction.value
    left += most - receipt.gasUsed * receipt.effectiveGasPrice
  }
  // Both deposits were there when the first was credited, or the second followed: never more sweeps than
  // deposits.
  expect(sweeps.length).toBeLessThanOrEqual(2)
  expect(parseEther(moved.amount)).toBeGreaterThan(0n)
  expect(await rail.reader.getBalance({ address: master.address as Hex })).toBe(arrived)
  expect(await rail.reader.getBalance({ address })).toBe(left)
  expect(await availableTo(stage, 'ethereum', 'eth', user)).toBe('2')
  // None of it was taken for a deposit from outside, and the merchant’s own account bore the fees.
  expect(await depositCount()).toBe(before)
  const fees = sweeps.reduce((sum, sweep) => sum + parseEther(sweep.fee), 0n)
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(own + fees)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('funds the gas of a token sweep with exactly what is missing, then sweeps all tokens', async () => {
  const { id, address, user } = await newAddress()
  const deposits = await depositCount()
  const first = await payUsdt(address, 100_000_000n)
  await creditAsWorkflow(stage, rail.temporal, first)
  await untilMovement(stage, sweepOf(address, 'usdt'))
  const { movements } = await consolidated(rail.temporal, 'ethereum', 'usdt', id, 'token')
  expect(movements).toHaveLength(2)
  const seen = (await movementsOf(stage)).filter((movement) => movements.includes(movement.id))
  expect(seen.map(({ kind, coin }) => [kind, coin])).toEqual([
    ['gas_funding', 'eth'],
    ['consolidation', 'usdt'],
  ])
  const [funding, sweep] = seen
  const transaction = await rail.reader.getTransaction({ hash: sweep?.transaction_hash as Hex })
  expect(transaction.gas * (transaction.maxFeePerGas ?? 0n)).toBeLessThanOrEqual(
    parseEther(funding?.amount ?? '0'),
  )
  const master = await stage.wallet('ethereum', 'master')
  expect(await rail.usdt.balanceOf(master.address as Hex)).toBe(100_000_000n)
  expect(await rail.usdt.balanceOf(address)).toBe(0n)
  expect(await rail.reader.getBalance({ address })).toBe(
    parseEther(funding?.amount ?? '0') - parseEther(sweep?.fee ?? '0'),
  )
  expect(await availableTo(stage, 'ethereum', 'usdt', user)).toBe('100')
  expect(await availableTo(stage, 'ethereum', 'eth', user)).toBe('0')
  // The gas that arrived at the address is no deposit.
  expect(await depositCount()).toBe(deposits + 1)
  expect(await depositsOf(stage, funding?.transaction_hash ?? '')).toEqual([])
  await expectBooksToBeTheChain(stage, 'ethereum')

  // Gas that was left counts for the next sweep of the address.
  const second = await payUsdt(address, 30_000_000n)
  await creditAsWorkflow(stage, rail.temporal, second)
  await untilMovement(stage, (movement) => sweepOf(address, 'usdt')(movement) && movement.amount === '30')
  await consolidated(rail.temporal, 'ethereum', 'usdt', id)
  const gas = (await movementsOf(stage, '&kind=gas_funding')).filter((each) => each.to_address === address)
  expect(gas).toHaveLength(2)
  expect(parseEther(gas[1]?.amount ?? '0')).toBeLessThan(parseEther(gas[0]?.amount ?? '0'))
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('leaves dust until there is enough, and waits when the fee is too much of the value', async () => {
  const dust = await newAddress()
  await creditAsWorkflow(stage, rail.temporal, await payEth(dust.address, '0.005'))
  await untilNote(dust.id, 'eth', 'TOO_LITTLE')
  expect(await noteOf(dust.id, 'eth')).toMatchObject({ due_at: null, failures: 0 })
  await creditAsWorkflow(stage, rail.temporal, await payEth(dust.address, '0.006'))
  const moved = await untilMovement(stage, sweepOf(dust.address, 'eth'))
  expect(moved.amount).toBe('0.011')

  // 6 USDT are worth 0.003 ETH. At a price a hundred times as high the gas is more than a fifth of that.
  const dear = await newAddress()
  const real = stage.adapters.get('ethereum') as EvmAdapter
  const build = real.build.bind(real)
  fault = {
    build: async (request) => {
      const built = await build(request)
      if (built.kind === 'insufficient_funds') return { ...built, missing: built.missing * 100n }
      return built
    },
  }
  await creditAsWorkflow(stage, rail.temporal, await payUsdt(dear.address, 6_000_000n))
  const note = await untilNote(dear.id, 'usdt', 'TOO_DEAR')
  expect(note.failures).toBe(0)
  expect((await movementsOf(stage)).filter((each) => each.to_address === dear.address)).toEqual([])
  fault = {}
  // The sweeper checks again when its time has come.
  await sweepUntil(async () => (await movementsOf(stage)).some(sweepOf(dear.address, 'usdt')))
  await untilQuiet(stage)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('waits longer and longer for an address that cannot be swept, and sweeps the others', async () => {
  const stuck = await newAddress()
  const fine = await newAddress()
  await blacklist(stuck.address, 'removeBlackList')
  await payUsdt(stuck.address, 50_000_000n).then((txid) =>
    rail.reader.waitForTransactionReceipt({ hash: txid }),
  )
  const txid = await payUsdt(stuck.address, 1_000_000n)
  await blacklist(stuck.address, 'addBlackList')
  await creditAsWorkflow(stage, rail.temporal, txid)
  const [other] = await stage.api.database.sql<{ txid: string }[]>`
    SELECT txid FROM deposits WHERE address_id = ${stuck.id} AND txid <> ${txid}`
  await creditAsWorkflow(stage, rail.temporal, other?.txid ?? '')
  await untilNote(stuck.id, 'usdt', 'WOULD_REVERT')
  await creditAsWorkflow(stage, rail.temporal, await payUsdt(fine.address, 40_000_000n))
  await untilMovement(stage, sweepOf(fine.address, 'usdt'))
  expect((await noteOf(stuck.id, 'usdt'))?.failures).toBeGreaterThan(0)

  // The funds of a blacklisted address become movable, and the sweeper continues automatically.
  await blacklist(stuck.address, 'removeBlackList')
  await sweepUntil(async () => (await movementsOf(stage)).some(sweepOf(stuck.address, 'usdt')))
  await untilQuiet(stage)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('books only the fee of a sweep that reverts, and tries it again', async () => {
  const { id, address } = await newAddress()
  instead = async (request) => {
    if (request.intent.kind === 'consolidation') {
      instead = null
      await blacklist(address, 'addBlackList')
    }
  }
  await creditAsWorkflow(stage, rail.temporal, await payUsdt(address, 60_000_000n))
  const reverted = await untilMovement(
    stage,
    (movement) => movement.from_address === address && movement.stage === 'reverted',
  )
  expect(reverted.failure?.code).toBe('REVERTED_ON_CHAIN')
  await consolidated(rail.temporal, 'ethereum', 'usdt', id, 'reverted')
  expect(await noteOf(id, 'usdt')).toMatchObject({ note: { code: 'MOVEMENT_FAILED' }, failures: 1 })
  await expectBooksToBeTheChain(stage, 'ethereum')
  await blacklist(address, 'removeBlackList')
  await sweepUntil(async () => (await movementsOf(stage)).some(sweepOf(address, 'usdt')))
  await untilQuiet(stage)
  expect((await noteOf(id, 'usdt'))?.failures).toBe(0)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('estimates the gas of a master wallet that runs code when it is paid', async () => {
  const { id, address } = await newAddress()
  const master = await stage.wallet('ethereum', 'master')
  // SSTORE(0, GAS): some 22,000 gas beyond a plain transfer's 21,000.
  await rail.anvil.call('anvil_setCode', master.address, '0x5a60005500')
  await creditAsWorkflow(stage, rail.temporal, await payEth(address, '0.5'))
  const moved = await untilMovement(stage, sweepOf(address, 'eth'))
  const receipt = await rail.reader.getTransactionReceipt({ hash: moved.transaction_hash as Hex })
  expect(receipt.status).toBe('success')
  expect(receipt.gasUsed).toBeGreaterThan(21_000n)
  await rail.anvil.call('anvil_setCode', master.address, '0x')
  await consolidated(rail.temporal, 'ethereum', 'eth', id, 'native')
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('starts an open movement only once, however often it is requested', async () => {
  const { id, address } = await newAddress()
  const before = (await movementsOf(stage)).length
  await creditAsWorkflow(stage, rail.temporal, await payEth(address, '0.3'))
  const asked = await Promise.all(
    Array.from({ length: 5 }, () =>
      stage.api.call({
        method: 'POST',
        path: '/api/v1/movements/consolidate',
        body: { network: 'ethereum', coin: 'eth', address_id: id },
      }),
    ),
  )
  for (const { status, json } of asked) {
    expect(status).toBe(200)
    expect(json.data.consolidations).toEqual([
      { network: 'ethereum', coin: 'eth', address_id: id, workflow_id: `consolidation:ethereum:eth:${id}` },
    ])
  }
  await untilMovement(stage, sweepOf(address, 'eth'))
  await consolidated(rail.temporal, 'ethereum', 'eth', id)
  await untilQuiet(stage)
  expect((await movementsOf(stage)).length).toBe(before + 1)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

/** Sweeps as the Schedule does until something holds. */
async function sweepUntil(holds: () => Promise<boolean>): Promise<void> {
  const { sweep } = createSweeperActivities({
    sql: stage.api.database.sql,
    networks: stage.networks,
    // The chain is followed here, and deposits take their steps here.
    gate: {
      ...createWorkflowGate(rail.temporal.client.workflow),
      startChainWatcher: async () => {},
      startDeposit: async () => true,
    },
    log: { info() {}, warn() {}, error() {} },
    signalAgainAfterMs: 60_000,
    graceMs: 0,
    nonceGapAfterMs: 600_000,
    unansweredAfterMs: 600_000,
    signerOfflineAfterMs: 600_000,
    idempotencyWindowMs: 600_000,
    webhookRetryIntervalMs: 600_000,
    webhookRetryWindowMs: 86_400_000,
  })
  for (let attempt = 0; attempt < 120; attempt++) {
    if (await holds()) return
    await sweep()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  throw new Error('the sweeper did not bring it about')
}

test('books what arrived of a token with a fee, and what was kept as the merchant’s own cost', async () => {
  await untilQuiet(stage)
  const code = (await rail.anvil.call('eth_getCode', rail.usdt.address, 'latest')) as Hex
  await rail.anvil.call('anvil_setCode', rail.usdt.address, compileFeeToken())
  try {
    const { id, address, user } = await newAddress()
    const own = await stage.balance('ethereum', 'usdt', 'available', '')
    const master = await stage.wallet('ethereum', 'master')
    const held = await rail.usdt.balanceOf(master.address as Hex)
    const onBooks = await stage.balance('ethereum', 'usdt', 'chain', master.id)
    await creditAsWorkflow(stage, rail.temporal, await payUsdt(address, 100_000_000n))
    await untilMovement(stage, sweepOf(address, 'usdt'))
    await consolidated(rail.temporal, 'ethereum', 'usdt', id)
    expect(await rail.usdt.balanceOf(master.address as Hex)).toBe(held + 99_000_000n)
    expect(await stage.balance('ethereum', 'usdt', 'chain', master.id)).toBe(onBooks + 99_000_000n)
    expect(await availableTo(stage, 'ethereum', 'usdt', user)).toBe('100')
    expect(await stage.balance('ethereum', 'usdt', 'available', '')).toBe(own + 1_000_000n)
    await expectBooksToBeTheChain(stage, 'ethereum')
  } finally {
    await rail.anvil.call('anvil_setCode', rail.usdt.address, code)
  }
})

/** The token, with a hundredth of every transfer kept for its owner. */
function compileFeeToken(): Hex {
  const source = readFileSync(
    new URL('../../../local/contracts/TetherLike.sol', import.meta.url),
    'utf8',
  ).replace(
    'balanceOf[to] += value;\n        emit Transfer(from, to, value);',
    `uint256 kept = value / 100;
        balanceOf[to] += value - kept;
        balanceOf[owner] += kept;
        emit Transfer(from, to, value - kept);
        emit Transfer(from, owner, kept);`,
  )
  expect(source).toContain('kept')
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string }
  const { contracts } = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: { 'TetherLike.sol': { content: source } },
        settings: {
          evmVersion: 'shanghai',
          outputSelection: { '*': { '*': ['evm.deployedBytecode.object'] } },
        },
      }),
    ),
  )
  return `0x${contracts['TetherLike.sol'].TetherLike.evm.deployedBytecode.object}`
}
