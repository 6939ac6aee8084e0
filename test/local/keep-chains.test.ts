/** The local chains after their nodes were killed. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, expect, test } from 'vitest'
import { FAUCET_PRIVATE_KEY, startAnvil } from '../../local/parts/anvil.js'
import { startBitcoin } from '../../local/parts/bitcoin.js'
import { createBitcoinFaucet, faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { freePort } from '../../local/parts/free-port.js'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import { evmClients } from '../../local/parts/usdt.js'
import { keepAnvilState } from '../../local/stack/keep-anvil-state.js'
import { keepBitcoinChain } from '../../local/stack/keep-bitcoin-chain.js'

const directory = mkdtempSync(join(tmpdir(), 'keyturn-keep-'))
const stops: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
  rmSync(directory, { recursive: true, force: true })
})

const STRANGER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

function contains(file: string, text: string): boolean {
  return existsSync(file) && readFileSync(file, 'utf8').includes(text)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await holds()) return
    await sleep(50)
  }
  throw new Error('it never held')
}

test('restores every block and the mempool of a killed btcd', async () => {
  const key = faucetKey(randomBytes(32))
  const chain = keepBitcoinChain(
    startBitcoin,
    {
      port: await freePort(),
      dataDirectory: join(directory, 'bitcoin'),
      logFile: join(directory, 'bitcoin.log'),
      password: 'secret',
      miningAddress: key.address,
    },
    join(directory, 'blocks.txt'),
    () => {},
  )
  const first = await chain.start()
  stops.push(async () => chain.stop())
  const hashes = await first.mine(120)
  const txid = await createBitcoinFaucet(first, key).pay([
    { address: faucetKey(randomBytes(32)).address, amount: 1_000n },
  ])
  await until(async () => contains(join(directory, 'blocks.txt'), hashes.at(-1) ?? '?'))
  // The keeper reads the mempool after the blocks, ten times a second.
  await sleep(1_000)
  process.kill(first.pid, 'SIGKILL')
  await first.exited
  const second = await chain.start()
  stops.push(second.stop)
  expect(await second.call('getbestblockhash')).toBe(hashes.at(-1))
  expect(await second.call('getrawmempool')).toEqual([txid])
})

test('restores every mined transaction of a killed Anvil', async () => {
  const stateFile = join(directory, 'anvil.json')
  const port = await freePort()
  const start = (more: { loadState?: string } = {}) =>
    startAnvil({ port, mining: 1, logFile: join(directory, 'anvil.log'), ...more })
  const first = await start()
  const kept = keepAnvilState(first.rpc, stateFile)
  stops.push(kept.stop)
  const { wallet, reader } = evmClients(first.rpc, first.chainId, FAUCET_PRIVATE_KEY)
  const hash = await wallet.sendTransaction({ to: STRANGER, value: 5n })
  const { blockHash } = await reader.waitForTransactionReceipt({ hash })
  const before = await jsonRpc(first.rpc, 'eth_getBalance', [STRANGER, 'latest'])
  await until(async () => contains(stateFile, hash))
  process.kill(first.pid, 'SIGKILL')
  await first.exited
  const second = await start({ loadState: stateFile })
  stops.push(second.stop)
  expect((await reader.getTransactionReceipt({ hash })).blockHash).toBe(blockHash)
  expect(await jsonRpc(second.rpc, 'eth_getBalance', [STRANGER, 'latest'])).toBe(before)
  expect(await reader.getTransactionCount({ address: privateKeyToAddress(FAUCET_PRIVATE_KEY) })).toBe(1)
})
