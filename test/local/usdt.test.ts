/** The local token, on Anvil. */

import { readFileSync } from 'node:fs'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compileTetherLike } from '../../local/contracts/compile.js'
import { evmClients, USDT_ABI } from '../../local/parts/usdt.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestUsdt, testUsdt } from '../support/usdt.js'

const STRANGER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
let anvil: TestAnvil
let usdt: TestUsdt

beforeAll(async () => {
  anvil = await testAnvil()
  usdt = await testUsdt(anvil)
})
afterAll(() => anvil.stop())

test('has a committed artifact that equals the compiled source', () => {
  const committed = readFileSync(new URL('../../local/contracts/TetherLike.json', import.meta.url), 'utf8')
  expect(committed).toBe(compileTetherLike())
})

test('moves the amount of a transfer, logs it and returns nothing', async () => {
  const { wallet, reader } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  const hash = await usdt.transfer(STRANGER, 1_500_000n)
  expect(await usdt.balanceOf(STRANGER)).toBe(1_500_000n)
  expect((await reader.getTransactionReceipt({ hash })).logs).toHaveLength(1)
  const { data } = await reader.call({
    account: wallet.account,
    to: usdt.address,
    data: `0xa9059cbb${STRANGER.slice(2).padStart(64, '0')}${'1'.padStart(64, '0')}`,
  })
  expect(data).toBeUndefined()
})

test('lets only the owner mint and blacklist', async () => {
  const owner = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  await usdt.mint(STRANGER, 7n)
  expect(await usdt.balanceOf(STRANGER)).toBe(1_500_007n)
  expect(
    await owner.reader.readContract({ address: usdt.address, abi: USDT_ABI, functionName: 'owner' }),
  ).toBe(privateKeyToAccount(anvil.faucetPrivateKey).address)
  await expect(
    owner.reader.simulateContract({
      account: STRANGER,
      address: usdt.address,
      abi: USDT_ABI,
      functionName: 'mint',
      args: [STRANGER, 1n],
    }),
  ).rejects.toThrow('not the owner')
  const address = usdt.address
  const hash = await owner.wallet.writeContract({
    address,
    abi: USDT_ABI,
    functionName: 'addBlackList',
    args: [STRANGER],
  })
  await owner.reader.waitForTransactionReceipt({ hash, pollingInterval: 20 })
  await expect(usdt.transfer(STRANGER, 1n)).rejects.toThrow('blacklisted')
})
