/** Describes sources, fees and first uses of addresses on EVM chains. */

import { encodeFunctionData, erc20Abi, getAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FAUCET, type Lab, startLab } from './lab.js'

const ALICE = getAddress('0x00000000000000000000000000000000000a11ce')

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab?.stop())

const transferData = (amount: bigint) =>
  encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [ALICE, amount] })

test('describes each kind of transfer by its payer and the fee of its transaction', async () => {
  await lab.send({
    to: lab.usdt.address,
    data: encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [lab.contracts.lab, 50n] }),
  })
  await lab.anvil.mine()
  const before = await lab.adapter.balance(FAUCET, 'eth')
  await lab.send({ to: ALICE, value: 5n })
  await lab.callLab('payTokens', [lab.usdt.address, ALICE, 10n, 20n])
  await lab.callLab('payThree', [ALICE, FAUCET], 100n)
  const block = await lab.mineBlock()
  const own = block.transfers.filter(({ payee }) => getAddress(`0x${payee}`) === ALICE)
  const details = await lab.adapter.describe(own)
  const [native, tokens, , inner] = details.map(({ fee }) => fee ?? 0n)
  // The sender of the native coin pays the fee in it too; senders of tokens and contracts do not.
  expect(details.map(({ sources, destinations }) => [sources, destinations])).toEqual(
    (
      [
        [FAUCET, 5n, native ?? 0n],
        [lab.contracts.lab, 10n, 0n],
        [lab.contracts.lab, 20n, 0n],
        [lab.contracts.lab, 1n, 0n],
        [lab.contracts.lab, 3n, 0n],
      ] as const
    ).map(([address, amount, fee]) => [[{ address, amount: amount + fee }], [{ address: ALICE, amount }]]),
  )
  const paid = before - (await lab.adapter.balance(FAUCET, 'eth'))
  // 5 and 100 wei were paid, 2 of them came back.
  expect((native ?? 0n) + (tokens ?? 0n) + (inner ?? 0n) + 103n).toBe(paid)
})

test('gives a pending transfer no fee, and an unknown one no payer', async () => {
  await lab.send({ to: ALICE, value: 5n })
  await lab.send({ to: lab.usdt.address, data: transferData(7n) })
  const { transfers } = await lab.adapter.mempool(new Set())
  expect(transfers).toHaveLength(2)
  for (const transfer of transfers)
    expect(await lab.adapter.describe([transfer])).toMatchObject([
      { sources: [{ address: FAUCET, amount: transfer.amount }], fee: null },
    ])
  const unknown = { txid: `0x${'ee'.repeat(32)}`, index: 0, payee: ALICE.slice(2).toLowerCase() }
  expect(await lab.adapter.describe([{ ...unknown, coin: 'eth', amount: 1n }])).toEqual([
    { sources: [], destinations: [{ address: ALICE, amount: 1n }], fee: null, spends: [] },
  ])
  await lab.anvil.mine()
})

test('finds each used address among many: one that holds a coin or has sent', async () => {
  const fresh = Array.from({ length: 60 }, () => privateKeyToAccount(generatePrivateKey()).address)
  const [holder, sender, token] = [fresh[3] ?? ALICE, fresh[31] ?? ALICE, fresh[59] ?? ALICE]
  await lab.send({ to: holder, value: 1n })
  await lab.anvil.call('anvil_setNonce', sender, '0x1')
  await lab.usdt.mint(token, 1n)
  await lab.anvil.mine()
  const used = await lab.adapter.used(fresh)
  expect(fresh.filter((_, at) => used[at])).toEqual([holder, sender, token])
  expect(used).toHaveLength(60)
  expect(await lab.adapter.used([])).toEqual([])
})

test('reads a balance from the chain, and refuses a wrong contract instead of reporting 0', async () => {
  expect(await lab.adapter.balance(privateKeyToAccount(generatePrivateKey()).address, 'usdt')).toBe(0n)
  const coins = lab.network.coins.map((coin) => (coin.name === 'usdt' ? { ...coin, contract: ALICE } : coin))
  await expect(lab.open({ coins }).balance(FAUCET, 'usdt')).rejects.toMatchObject({
    code: 'DEPENDENCY_UNAVAILABLE',
  })
  await expect(lab.adapter.balance(FAUCET, 'dai')).rejects.toMatchObject({ code: 'UNSUPPORTED_COIN' })
})
