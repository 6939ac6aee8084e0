/** The worker process itself, on real chains: killed, started again, reorganised. */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { createWalletClient, http, parseEther, parseGwei } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../db/new-id.js'
import { allocateAddress } from '../../db/wallets/allocate-address.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../networks/load-networks.js'
import { eventually, untilStatus } from '../stage/deposit-platform.js'
import { ledger } from '../stage/deposit-steps.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { type TestUsdt, testUsdt } from '../support/usdt.js'

let database: TestDatabase
let temporal: TestTemporal
let anvil: TestAnvil
let bitcoin: TestBitcoin
let usdt: TestUsdt
let worker: ChildProcess | undefined
let environment: Record<string, string>
let networks: Networks
const merchantId = newId('mer')

beforeAll(async () => {
  ;[database, temporal, anvil, bitcoin] = await Promise.all([
    freshDatabase(),
    testTemporal(),
    testAnvil({ mining: 'manual' }),
    testBtcd(),
  ])
  usdt = await testUsdt(anvil)
  environment = {
    KEYTURN_DATABASE_URL: database.url,
    KEYTURN_MASTER_KEY: '00'.repeat(32),
    KEYTURN_TEMPORAL_ADDRESS: temporal.address,
    KEYTURN_TEMPORAL_NAMESPACE: temporal.namespace,
    KEYTURN_WORKER_ROLES: 'core,chain,sealer',
    KEYTURN_SWEEP_INTERVAL: '2s',
    KEYTURN_LOG_LEVEL: process.env.KEYTURN_TEST_LOG_LEVEL ?? 'silent',
    ETHEREUM_RPC_URLS: anvil.rpc,
    ETHEREUM_CHAIN_ID: String(anvil.chainId),
    ETHEREUM_CONFIRMATIONS: '3',
    ETHEREUM_POLL_INTERVAL: '100ms',
    ETHEREUM_USDT_CONTRACT: usdt.address,
    BITCOIN_RPC_URLS: bitcoin.rpc,
    BITCOIN_POLL_INTERVAL: '100ms',
  }
  networks = parseNetworks(readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'), environment)
  await enrol()
  startWorker()
  await untilScanned()
})

afterAll(async () => {
  await killWorker('SIGTERM')
  await Promise.all([anvil?.stop(), bitcoin?.stop(), temporal?.close()])
  await database?.drop()
})

/** A merchant whose signer reported a key a network. */
async function enrol() {
  const { sql } = database
  const signer = newId('sig')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Shop')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${signer}, ${merchantId}, 'signer', '1', ${randomBytes(32)}, '00000000', ${'0'.repeat(64)})`
  for (const network of networks.values()) {
    const versions = network.family === 'utxo' ? network.bip32 : { public: 0x0488b21e, private: 0x0488ade4 }
    const root = BIP32Factory(ecc).fromSeed(randomBytes(32), {
      bip32: versions,
      messagePrefix: '',
      bech32: '',
      pubKeyHash: 0,
      scriptHash: 0,
      wif: 0x80,
    })
    await sql`
      INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
      VALUES (${newId('acc')}, ${merchantId}, ${signer}, ${network.name}, 'deposit', 'm/84''/1''/0''', ${root.neutered().toBase58()})`
    for (const coin of network.coins) {
      await sql`INSERT INTO merchant_rails (merchant_id, network, coin) VALUES (${merchantId}, ${network.name}, ${coin.name})`
    }
  }
}

async function addressOf(user: string, name: string): Promise<string> {
  const network = networks.get(name) as Network
  const { address } = await database.sql.begin((tx) =>
    allocateAddress(tx, { merchantId, network, userReference: user, label: null, fresh: false }),
  )
  return address.address
}

function startWorker() {
  worker = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

async function killWorker(signal: NodeJS.Signals): Promise<number | null> {
  const running = worker
  worker = undefined
  if (!running || running.exitCode !== null) return running?.exitCode ?? null
  const ended = new Promise<number | null>((resolve) => running.once('exit', resolve))
  running.kill(signal)
  return ended
}

async function untilScanned() {
  await eventually(async () => {
    const heads = {
      bitcoin: BigInt((await bitcoin.call('getblockcount')) as number),
      ethereum: BigInt((await anvil.call('eth_blockNumber')) as string),
    }
    const rows = await database.sql<
      { network: string; height: bigint }[]
    >`SELECT network, height FROM chain_cursors`
    expect(Object.fromEntries(rows.map((row) => [row.network, row.height]))).toEqual(heads)
  })
}

async function sendEther(to: string, amount: string): Promise<string> {
  const account = privateKeyToAccount(anvil.faucetPrivateKey)
  const wallet = createWalletClient({ account, transport: http(anvil.rpc) })
  return wallet.sendTransaction({ to: to as `0x${string}`, value: parseEther(amount), chain: null })
}

test('bitcoin: mempool, block, confirmations, credit', async () => {
  const to = await addressOf('alice', 'bitcoin')
  const txid = await bitcoin.fund(to, 150_000n)
  await untilStatus(database.sql, txid, 'detected')
  await bitcoin.mine(1)
  await untilStatus(database.sql, txid, 'unconfirmed')
  await bitcoin.mine(2)
  await untilStatus(database.sql, txid, 'success')
  expect(await ledger(database.sql, 'available', 'alice')).toBe(150_000n)
  const [row] = await database.sql`SELECT fee, sources, destinations FROM deposits WHERE txid = ${txid}`
  expect(row?.fee).toBeGreaterThan(0n)
  expect(row?.sources).toMatchObject([{ address: bitcoin.faucet.address }])
  expect(row?.destinations).toContainEqual({ address: to, amount: '0.0015' })
})

test('bitcoin: credits each of several outputs to one address in one transaction', async () => {
  const to = await addressOf('outputs', 'bitcoin')
  const txid = await bitcoin.faucet.pay([
    { address: to, amount: 1_000n },
    { address: to, amount: 1_000n },
    { address: to, amount: 2_000n },
  ])
  await bitcoin.mine(3)
  await eventually(async () => expect(await ledger(database.sql, 'available', 'outputs')).toBe(4_000n))
  expect(await database.sql`SELECT 1 FROM deposits WHERE txid = ${txid}`).toHaveLength(3)
})

test('ethereum: ether and tokens, from the mempool to the credit', async () => {
  const to = await addressOf('alice', 'ethereum')
  const ether = await sendEther(to, '1.5')
  await untilStatus(database.sql, ether, 'detected')
  const token = await usdt.transfer(to as `0x${string}`, 25_000_000n)
  await anvil.mine(1)
  await untilStatus(database.sql, ether, 'unconfirmed')
  await untilStatus(database.sql, token, 'unconfirmed')
  await anvil.mine(2)
  await untilStatus(database.sql, ether, 'success')
  await untilStatus(database.sql, token, 'success')
  expect(await ledger(database.sql, 'available', 'alice', 'eth')).toBe(parseEther('1.5'))
  expect(await ledger(database.sql, 'available', 'alice', 'usdt')).toBe(25_000_000n)
  const [row] = await database.sql`SELECT fee, sources FROM deposits WHERE txid = ${token}`
  expect(row?.fee).toBeGreaterThan(0n)
  expect(row?.sources).toEqual([
    { address: privateKeyToAccount(anvil.faucetPrivateKey).address, amount: '25' },
  ])
})

test('ethereum: replaces a deposit by a transaction with the same nonce, in the mempool or unseen in a block', async () => {
  const to = (await addressOf('erin', 'ethereum')) as `0x${string}`
  const account = privateKeyToAccount(anvil.faucetPrivateKey)
  const wallet = createWalletClient({ account, transport: http(anvil.rpc) })
  const pay = async (value: string, gwei: number) =>
    wallet.sendTransaction({
      to,
      value: parseEther(value),
      chain: null,
      nonce: Number(await anvil.call('eth_getTransactionCount', account.address, 'latest')),
      maxFeePerGas: parseGwei(String(20 * gwei)),
      maxPriorityFeePerGas: parseGwei(String(gwei)),
    })
  const first = await pay('1', 1)
  await untilStatus(database.sql, first, 'detected')
  const second = await pay('0.9', 2)
  await untilStatus(database.sql, first, 'replaced')
  await untilStatus(database.sql, second, 'detected')
  await killWorker('SIGTERM')
  await pay('0.8', 4)
  await anvil.mine(1)
  startWorker()
  await untilStatus(database.sql, second, 'replaced')
  await anvil.mine(3)
  await eventually(async () =>
    expect(await ledger(database.sql, 'available', 'erin', 'eth')).toBe(parseEther('0.8')),
  )
})

test('misses no deposit that arrives between its kill and its next start', async () => {
  const bitcoinAddress = await addressOf('bob', 'bitcoin')
  const ethereumAddress = await addressOf('bob', 'ethereum')
  const before = await bitcoin.fund(bitcoinAddress, 10_000n)
  await bitcoin.mine(1)
  await untilStatus(database.sql, before, 'unconfirmed')
  await killWorker('SIGKILL')
  await bitcoin.fund(bitcoinAddress, 20_000n)
  await bitcoin.mine(12)
  for (let each = 0; each < 3; each++) {
    await sendEther(ethereumAddress, '0.1')
    await anvil.mine(40)
  }
  startWorker()
  await untilScanned()
  // Temporal gives a task that was lost with its worker to another after 10 s, and up to three can be lost.
  await eventually(async () => {
    expect(await ledger(database.sql, 'available', 'bob')).toBe(30_000n)
    expect(await ledger(database.sql, 'available', 'bob', 'eth')).toBe(parseEther('0.3'))
  }, 90_000)
})

test('bitcoin: reverses a credit after a reorg deeper than the threshold, and credits it again', async () => {
  const to = await addressOf('carol', 'bitcoin')
  const txid = await bitcoin.fund(to, 77_000n)
  const [block] = await bitcoin.mine(1)
  await bitcoin.mine(4)
  await untilStatus(database.sql, txid, 'success')
  const height = (await bitcoin.call('getblockcount')) as number
  await bitcoin.call('invalidateblock', block)
  // The transaction is in the mempool again, so the first new block holds it.
  await bitcoin.mine(6)
  expect(await bitcoin.call('getblockcount')).toBe(height + 1)
  await untilScanned()
  await eventually(async () => {
    const [row] = await database.sql`SELECT status, epoch FROM deposits WHERE txid = ${txid}`
    expect(row).toEqual({ status: 'success', epoch: 1 })
  })
  expect(await ledger(database.sql, 'available', 'carol')).toBe(77_000n)
  const journals = await database.sql`
    SELECT type FROM ledger_journals WHERE reference = (SELECT id FROM deposits WHERE txid = ${txid}) ORDER BY id`
  expect(journals.map((each) => each.type).filter((type) => type === 'deposit.reverted')).toHaveLength(2)
})

test('ethereum: reverses a credit for good when a reorg drops its transaction', async () => {
  const to = await addressOf('dave', 'ethereum')
  const txid = await sendEther(to, '2')
  await anvil.mine(5)
  await untilStatus(database.sql, txid, 'success')
  await anvil.call('anvil_reorg', 5, [])
  await anvil.mine(1)
  await eventually(async () => {
    const [row] = await database.sql<{ status: string }[]>`SELECT status FROM deposits WHERE txid = ${txid}`
    expect(['reverted', 'detected']).toContain(row?.status)
  })
  await eventually(async () => expect(await ledger(database.sql, 'available', 'dave', 'eth')).toBe(0n))
})

test('stops in order on a signal', async () => {
  expect(await killWorker('SIGTERM')).toBe(0)
  startWorker()
  await untilScanned()
})

test('keeps the books equal to the chains', async () => {
  await untilScanned()
  await eventually(async () => {
    const open =
      await database.sql`SELECT 1 FROM deposits WHERE status IN ('unconfirmed', 'confirmed', 'screening_requested')`
    expect(open).toHaveLength(0)
  })
  const held = await database.sql<{ address: string; coin: string; balance: bigint }[]>`
    SELECT address.address, account.coin, account.balance FROM ledger_accounts account
    JOIN addresses address ON address.id = account.owner WHERE account.kind = 'chain'`
  expect(held.length).toBeGreaterThanOrEqual(6)
  for (const { address, coin, balance } of held) {
    if (coin === 'eth')
      expect(BigInt((await anvil.call('eth_getBalance', address, 'latest')) as string)).toBe(balance)
    if (coin === 'usdt') expect(await usdt.balanceOf(address as `0x${string}`)).toBe(balance)
  }
})
