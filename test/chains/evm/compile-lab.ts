/** Compiles the contracts of TransferLab.sol. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Abi, Hex } from 'viem'

export interface Contract {
  readonly abi: Abi
  readonly bytecode: Hex
}

/** Contracts by name. */
export function compileLab(): Record<string, Contract> {
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string }
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: {
          'TransferLab.sol': { content: readFileSync(new URL('./TransferLab.sol', import.meta.url), 'utf8') },
        },
        settings: { outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
      }),
    ),
  )
  const contracts = output.contracts?.['TransferLab.sol']
  if (!contracts) throw new Error(JSON.stringify(output.errors))
  return Object.fromEntries(
    Object.entries(contracts).map(([name, each]) => {
      const { abi, evm } = each as { abi: Abi; evm: { bytecode: { object: string } } }
      return [name, { abi, bytecode: `0x${evm.bytecode.object}` as Hex }]
    }),
  )
}
