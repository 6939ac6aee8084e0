/**
 * What users of the stack need: the merchant's client, their addresses, tokens in their wallet, and the money
 * to withdraw.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress, type Hex } from 'viem'
import { type Client, createClient } from '../../client/create-client.js'
import { parseAmount } from '../../domain/money.js'
import { evmClients, USDT_ABI } from '../../local/parts/usdt.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { homeAt } from '../../signer/home/home.js'
import { requireSignerFile } from '../../signer/home/signer-file.js'
import { PATIENT } from './approve.js'

/** Second account of Anvil's published test mnemonic. */
export const WALLET_KEY: Hex = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'
const POLL_MS = 300

/** Opens the merchant's client, which checks addresses against the signer's keys. */
export function openClient(facts: StackFile): Client {
  return createClient({
    baseUrl: facts.api,
    apiKey: facts.merchant.api_key,
    apiSecret: facts.merchant.api_secret,
    xpubs: requireSignerFile(homeAt(facts.signer.home)).xpubs,
    ...PATIENT,
  })
}

/** Returns a function that requests a user's address on a network when it is first needed, and once. */
export function addressBook(client: Client): (user: string, network: string) => Promise<string> {
  const addresses = new Map<string, Promise<string>>()
  return (user, network) => {
    const key = `${user} ${network}`
    const requested =
      addresses.get(key) ??
      client.addresses
        .create({ user_reference: user, network }, { idempotencyKey: `address ${key}` })
        .then(({ address }) => address)
    addresses.set(key, requested)
    return requested
  }
}

/** Sends tokens from the faucet of a chain, and waits until they are mined. @param whole - Tokens. */
export async function fundWithTokens(
  chain: Pick<StackFile['networks']['ethereum'], 'rpc' | 'chain_id' | 'faucet_private_key'>,
  token: string,
  to: Hex,
  whole = 100_000,
): Promise<void> {
  const faucet = evmClients(chain.rpc, chain.chain_id, chain.faucet_private_key as Hex)
  const hash = await faucet.wallet.writeContract({
    address: getAddress(token),
    abi: USDT_ABI,
    functionName: 'transfer',
    args: [to, parseAmount(String(whole), 6)],
  })
  await faucet.reader.waitForTransactionReceipt({ hash })
}

/** Waits until a user may spend `wanted` base units. */
export async function untilAvailable(
  client: Client,
  user: string,
  { network, coin, decimals }: { readonly network: string; readonly coin: string; readonly decimals: number },
  wanted: bigint,
): Promise<void> {
  for (;;) {
    const { items } = await client.balances.list({ user_reference: user, network, coin })
    const available = items.find((each) => each.coin === coin)?.available ?? '0'
    if (!available.startsWith('-') && parseAmount(available, decimals) >= wanted) return
    await sleep(POLL_MS)
  }
}
