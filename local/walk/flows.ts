/** The coins of the local chains: how users pay them and recipients get them. */

import { randomBytes } from 'node:crypto'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { z } from 'zod'
import { createBitcoinFaucet, faucetKey, privateKeyOf, REGTEST } from '../parts/bitcoin-faucet.js'
import { jsonRpc } from '../parts/json-rpc.js'
import { LITECOIN_REGTEST } from '../parts/litecoin.js'
import { evmClients, USDT_ABI } from '../parts/usdt.js'
import type { StackFile } from '../stack/stack-file.js'

/** What the walk does with one coin. */
export interface Flow {
  readonly network: 'ethereum' | 'bitcoin' | 'litecoin' | 'polygon'
  readonly coin: 'eth' | 'usdt' | 'btc' | 'ltc' | 'usdc'
  readonly decimals: number
  /** Amount of the deposit, in whole coins. */
  readonly deposited: string
  readonly withdrawn: string
  /** Pays base units from the faucet. @returns The transaction's hash. */
  pay(address: string, amount: bigint): Promise<string>
  /** Returns what an address holds on chain, in base units. */
  holds(address: string): Promise<bigint>
  /** Returns an address that no one used before. */
  stranger(): string
}

/** Returns every coin of the chains that run. */
export function flowsOf(stack: StackFile): Flow[] {
  return [...ethereumFlows(stack), ...polygonFlows(stack), ...bitcoinFlows(stack), ...litecoinFlows(stack)]
}

function ethereumFlows(stack: StackFile): Flow[] {
  const { ethereum } = stack.networks
  const { native, token } = evmPayouts(ethereum, ethereum.tokens.usdt.address)
  return [
    { network: 'ethereum', coin: 'eth', decimals: 18, deposited: '1.5', withdrawn: '0.5', ...native },
    { network: 'ethereum', coin: 'usdt', decimals: 6, deposited: '250', withdrawn: '100.5', ...token },
  ]
}

function polygonFlows(stack: StackFile): Flow[] {
  const { polygon } = stack.networks
  if (!polygon) return []
  const { token } = evmPayouts(polygon, polygon.tokens.usdc.address)
  return [{ network: 'polygon', coin: 'usdc', decimals: 6, deposited: '75', withdrawn: '25.25', ...token }]
}

type Payments = Pick<Flow, 'pay' | 'holds' | 'stranger'>

function evmPayouts(
  chain: { readonly rpc: string; readonly chain_id: number; readonly faucet_private_key: string },
  tokenAddress: string,
): { readonly native: Payments; readonly token: Payments } {
  const { wallet, reader } = evmClients(chain.rpc, chain.chain_id, chain.faucet_private_key as `0x${string}`)
  const token = tokenAddress as `0x${string}`
  const stranger = () => privateKeyToAddress(generatePrivateKey())
  // One account pays both coins. Payments run one at a time, so that its nonces do not collide.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(send: () => Promise<T>): Promise<T> => {
    const sent = turn.then(send)
    turn = sent.catch(() => {})
    return sent
  }
  return {
    native: {
      pay: (address, amount) =>
        inTurn(() => wallet.sendTransaction({ to: address as `0x${string}`, value: amount })),
      holds: (address) => reader.getBalance({ address: address as `0x${string}` }),
      stranger,
    },
    token: {
      pay: (address, amount) =>
        inTurn(() =>
          wallet.writeContract({
            address: token,
            abi: USDT_ABI,
            functionName: 'transfer',
            args: [address as `0x${string}`, amount],
          }),
        ),
      holds: (address) =>
        reader.readContract({
          address: token,
          abi: USDT_ABI,
          functionName: 'balanceOf',
          args: [address as `0x${string}`],
        }),
      stranger,
    },
  }
}

function bitcoinFlows(stack: StackFile): Flow[] {
  const { bitcoin } = stack.networks
  if (!bitcoin) return []
  const payments = utxoPayouts(bitcoin, REGTEST)
  return [{ network: 'bitcoin', coin: 'btc', decimals: 8, deposited: '0.25', withdrawn: '0.1', ...payments }]
}

function litecoinFlows(stack: StackFile): Flow[] {
  const { litecoin } = stack.networks
  if (!litecoin) return []
  const payments = utxoPayouts(litecoin, LITECOIN_REGTEST)
  return [{ network: 'litecoin', coin: 'ltc', decimals: 8, deposited: '2.5', withdrawn: '1.25', ...payments }]
}

function utxoPayouts(
  node: { readonly rpc: string; readonly faucet_wif: string },
  network: typeof REGTEST,
): Payments {
  const call = (method: string, ...params: unknown[]) => jsonRpc(node.rpc, method, params)
  const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(node.faucet_wif), network))
  return {
    pay: (address, amount) => faucet.pay([{ address, amount }]),
    holds: (address) => receivedOnChain(call, address),
    stranger: () => faucetKey(randomBytes(32), network).address,
  }
}

/** Sums the outputs of the last blocks to an address. The node has no wallet that could do so. */
async function receivedOnChain(
  call: (method: string, ...params: unknown[]) => Promise<unknown>,
  address: string,
): Promise<bigint> {
  const output = z.object({
    value: z.number(),
    scriptPubKey: z.object({ address: z.string().optional(), addresses: z.array(z.string()).optional() }),
  })
  const block = z.object({
    tx: z.array(z.object({ vout: z.array(output) })).optional(),
    rawtx: z.array(z.object({ vout: z.array(output) })).optional(),
  })
  const tip = z.number().parse(await call('getblockcount'))
  let total = 0n
  for (let height = tip; height > Math.max(0, tip - 60); height -= 1) {
    const { tx, rawtx } = block.parse(await call('getblock', await call('getblockhash', height), 2))
    for (const { value, scriptPubKey } of (rawtx ?? tx ?? []).flatMap((each) => each.vout)) {
      if (scriptPubKey.address === address || scriptPubKey.addresses?.includes(address))
        total += BigInt(Math.round(value * 1e8))
    }
  }
  return total
}
