import type { Explainer } from "./camlite.js";

export interface Sample {
  readonly expected: string;
  readonly label: string;
  /** Score difference, evidence error, completeness; null where there is none. */
  readonly figures: readonly (number | null)[];
  readonly tolerance: readonly number[];
}

/** Answers the golden samples, and compares with the original classifier's answers. */
export function check(explainer: Explainer): Promise<{
  readonly passed: boolean;
  readonly failures: readonly string[];
  readonly samples: readonly Sample[];
  readonly seconds: number;
}>;
