/** Deploys the `usdt` token on a local EVM chain, and gives clients for it. */

import { readFile } from 'node:fs/promises'
import { type Address, createPublicClient, createWalletClient, defineChain, type Hex, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { parseAbi } from 'viem/utils'
import { z } from 'zod'

/** The part of the token's ABI that callers need. */
export const USDT_ABI = parseAbi([
  'function transfer(address to, uint256 value)',
  'function transferFrom(address from, address to, uint256 value)',
  'function approve(address spender, uint256 value)',
  'function mint(address to, uint256 value)',
  'function addBlackList(address account)',
  'function removeBlackList(address account)',
  'function balanceOf(address account) view returns (uint256)',
  'function totalSupply() view returns (uint256)',
  'function owner() view returns (address)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
])

/** Supply in base units, a thousand million dollars. The deployer owns all of it. */
const SUPPLY = 1_000_000_000n * 10n ** 6n

/** Deploys the token. @returns Its address (EIP-55). */
export async function deployUsdt(rpc: string, chainId: number, ownerPrivateKey: Hex): Promise<Address> {
  const artifact = z
    .object({ abi: z.array(z.unknown()), bytecode: z.custom<Hex>((value) => typeof value === 'string') })
    .parse(JSON.parse(await readFile(new URL('../contracts/TetherLike.json', import.meta.url), 'utf8')))
  const { wallet, reader } = evmClients(rpc, chainId, ownerPrivateKey)
  const hash = await wallet.deployContract({
    abi: parseAbi(['constructor(uint256 supply)']),
    bytecode: artifact.bytecode,
    args: [SUPPLY],
  })
  const { contractAddress } = await reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  if (!contractAddress) throw new Error('The token was not deployed')
  return contractAddress
}

/** Creates viem's clients for a local chain and one account of it. */
export function evmClients(rpc: string, chainId: number, privateKey: Hex) {
  const chain = defineChain({
    id: chainId,
    name: 'local',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpc] } },
  })
  const transport = http(rpc)
  return {
    wallet: createWalletClient({ account: privateKeyToAccount(privateKey), chain, transport }),
    reader: createPublicClient({ chain, transport, pollingInterval: 100 }),
  }
}
