import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';

const WORD_BYTES = 32;

/** The double hash of abi.encode(uint256 chainId, address distributor, address account, uint256 cumulative). */
export function cumulativeLeaf(chainId: bigint, distributor: string, account: string, cumulative: bigint): Uint8Array {
  const encoded = concatBytes(word(chainId), word(BigInt(distributor)), word(BigInt(account)), word(cumulative));
  return keccak_256(keccak_256(encoded));
}

const word = (value: bigint): Uint8Array => hexToBytes(value.toString(16).padStart(2 * WORD_BYTES, '0'));

/**
 * OpenZeppelin's StandardMerkleTree: leaves sorted by hash, a complete binary tree in one array with the root first and
 * the leaves last in reverse, pairs hashed in sorted order. The order of the given leaves does not matter.
 */
export class MerkleTree {
  private readonly nodes: readonly Uint8Array[];
  private readonly positions: ReadonlyMap<string, number>;

  constructor(leaves: readonly Uint8Array[]) {
    if (leaves.length === 0) throw new Error('a tree without leaves has no root');
    const nodes = new Array<Uint8Array>(2 * leaves.length - 1);
    const last = nodes.length - 1;
    [...leaves].sort(Buffer.compare).forEach((leaf, index) => (nodes[last - index] = leaf));
    for (let index = last - leaves.length; index >= 0; index--)
      nodes[index] = hashPair(at(nodes, 2 * index + 1), at(nodes, 2 * index + 2));
    this.nodes = nodes;
    this.positions = new Map(
      nodes.map((node, index) => [bytesToHex(node), index] as const).slice(last + 1 - leaves.length),
    );
  }

  get root(): string {
    return `0x${bytesToHex(at(this.nodes, 0))}`;
  }

  /** The siblings from the leaf up. Throws a plain Error for a leaf that is not in the tree. */
  proof(leaf: Uint8Array): readonly string[] {
    const start = this.positions.get(bytesToHex(leaf));
    if (start === undefined) throw new Error('the leaf is not in the tree');
    const siblings: string[] = [];
    for (let index = start; index > 0; index = Math.floor((index - 1) / 2)) {
      siblings.push(`0x${bytesToHex(at(this.nodes, index % 2 === 0 ? index - 1 : index + 1))}`);
    }
    return siblings;
  }
}

/** What the contract checks before it pays. */
export function verifyProof(root: string, leaf: Uint8Array, proof: readonly string[]): boolean {
  const top = proof.reduce((node, sibling) => hashPair(node, hexToBytes(sibling.slice(2))), leaf);
  return `0x${bytesToHex(top)}` === root;
}

const hashPair = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  keccak_256(Buffer.compare(a, b) < 0 ? concatBytes(a, b) : concatBytes(b, a));

function at(nodes: readonly Uint8Array[], index: number): Uint8Array {
  const node = nodes[index];
  if (node === undefined) throw new Error(`the tree has no node ${index}`);
  return node;
}
