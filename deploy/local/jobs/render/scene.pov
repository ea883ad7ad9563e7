// A graphics card over a dark mirror: both fans turn, a band of light runs along the edge.
// Declared on the command line: Task_Index (0 …) and Frame_Count. Everything repeats after Frame_Count frames.
#version 3.7;

#ifndef (Task_Index) #declare Task_Index = 0; #end
#ifndef (Frame_Count) #declare Frame_Count = 12; #end
#declare Phase = Task_Index / Frame_Count;

global_settings {
  assumed_gamma 1.0
  max_trace_level 6
  ambient_light rgb 0
}

#declare Fan_Blades = 9;
// Three blades' pitch per loop: fast enough to look like turning, slow enough not to look like standing.
#declare Fan_Angle = 360 * 3 * Phase / Fan_Blades;
#declare Card_Length = 10.4;
#declare Card_Width = 4.6;
#declare Sway = sin(2 * pi * Phase);

// ---------- light and room ----------
#macro Soft_Box(Where, Size_X, Size_Y, Light)
  light_source {
    Where rgb Light
    area_light x * Size_X, z * Size_Y, 3, 3
    adaptive 0 jitter
    fade_distance 14 fade_power 2
  }
#end
Soft_Box(<-5, 12, -12>, 5, 5, <2.3, 2.2, 2.1>)
light_source { <11, 6, 4> rgb <0.35, 0.60, 1.30> fade_distance 12 fade_power 2 }
light_source { <-12, 4, 5> rgb <1.05, 0.30, 0.90> fade_distance 9 fade_power 2 }
// Fill from the camera's side, so that the blades in the shadow keep their shape.
light_source { <9, 1, -14> rgb <0.22, 0.25, 0.33> shadowless }

#declare Horizon = rgb <0.020, 0.024, 0.042>;
sky_sphere {
  pigment {
    gradient y
    color_map {
      [0.00 Horizon]
      [0.12 rgb <0.030, 0.036, 0.064>]
      [0.45 rgb <0.075, 0.085, 0.15>]
      [0.80 rgb <0.55, 0.60, 0.72>]
      [1.00 rgb <0.85, 0.90, 1.00>]
    }
  }
}
fog { fog_type 1 distance 130 Horizon }

plane {
  y, -2.75
  pigment { rgb <0.020, 0.022, 0.032> }
  finish { diffuse 0.7 specular 0.12 roughness 0.04 reflection { 0.06, 0.55 fresnel on } conserve_energy }
  interior { ior 1.7 }
}

// ---------- materials ----------
#declare Shroud_Finish = finish { diffuse 0.65 specular 0.35 roughness 0.018 reflection { 0.03, 0.22 } }
#declare Shroud_Dark = texture { pigment { rgb <0.036, 0.040, 0.052> } finish { Shroud_Finish } }
#declare Shroud_Light = texture { pigment { rgb <0.34, 0.36, 0.40> } finish { diffuse 0.5 metallic specular 0.7 roughness 0.012 reflection { 0.15 metallic } } }
#declare Fin_Metal = texture { pigment { rgb <0.42, 0.44, 0.47> } finish { diffuse 0.45 metallic specular 0.6 roughness 0.02 reflection 0.08 } }
#declare Blade_Plastic = texture { pigment { rgb <0.105, 0.112, 0.135> } finish { diffuse 0.75 specular 0.6 roughness 0.025 reflection { 0.02, 0.14 } } }
#declare Gold = texture { pigment { rgb <0.95, 0.66, 0.22> } finish { diffuse 0.4 metallic specular 0.9 roughness 0.01 reflection { 0.25 metallic } } }
#declare Board_Green = texture { pigment { rgb <0.012, 0.055, 0.040> } finish { diffuse 0.7 specular 0.3 roughness 0.02 } }

// A glowing colour: where on the wheel (0 … 1) and how bright.
#macro Glow(Where, Brightness)
  texture {
    pigment {
      rgb <0.5 + 0.5 * cos(2 * pi * (Where)),
           0.5 + 0.5 * cos(2 * pi * (Where - 0.42)),
           0.5 + 0.5 * cos(2 * pi * (Where - 0.63))>
    }
    finish { ambient 0 diffuse 0 emission Brightness }
  }
#end

// ---------- one fan, built in the x-y plane, its front towards -z ----------
#declare Fan_Radius = 1.92;
// A point of the blade: Along from hub (0) to tip (1), Across from the leading (0) to the trailing edge (1).
#macro Blade_Point(Along, Across)
  #local Radius = 0.50 + (Fan_Radius - 0.56) * Along;
  #local Sweep = 26 * pow(Along, 1.3) + (34 - 5 * Along) * Across;
  #local Pitch = (0.42 - 0.14 * Along) * (Across - 0.5) - 0.06 * sin(pi * Across);
  vrotate(<Radius, 0, Pitch>, z * Sweep)
#end
#macro Blade_Normal(Along, Across)
  #local E = 0.01;
  vnormalize(vcross(Blade_Point(Along + E, Across) - Blade_Point(Along, Across), Blade_Point(Along, Across + E) - Blade_Point(Along, Across)))
#end
#macro Blade()
  #local Rows = 10;
  #local Columns = 5;
  mesh {
    #local I = 0;
    #while (I < Rows)
      #local J = 0;
      #while (J < Columns)
        #local U0 = I / Rows + 0.0001; #local U1 = (I + 1) / Rows;
        #local V0 = J / Columns; #local V1 = (J + 1) / Columns;
        smooth_triangle {
          Blade_Point(U0, V0), Blade_Normal(U0, V0), Blade_Point(U1, V0), Blade_Normal(U1, V0), Blade_Point(U1, V1), Blade_Normal(U1, V1)
        }
        smooth_triangle {
          Blade_Point(U0, V0), Blade_Normal(U0, V0), Blade_Point(U1, V1), Blade_Normal(U1, V1), Blade_Point(U0, V1), Blade_Normal(U0, V1)
        }
        #local J = J + 1;
      #end
      #local I = I + 1;
    #end
    texture { Blade_Plastic }
  }
#end
#declare One_Blade = Blade()

#macro Fan(Direction, Start)
  union {
    union {
      #local B = 0;
      #while (B < Fan_Blades)
        object { One_Blade rotate z * B * 360 / Fan_Blades }
        #local B = B + 1;
      #end
      cylinder { <0, 0, -0.24>, <0, 0, 0.25>, 0.62 texture { Blade_Plastic } }
      cylinder { <0, 0, -0.27>, <0, 0, -0.20>, 0.50 texture { Shroud_Light } }
      // Marks on the hub, thrice around: after a loop (a third of a turn) each stands where another stood.
      #local M = 0;
      #while (M < 3)
        sphere { <0.33, 0, -0.27>, 0.055 Glow(0.45, 1.1) rotate z * M * 120 }
        #local M = M + 1;
      #end
      rotate z * (Start + Direction * Fan_Angle)
    }
    // A ring of lights; the colour runs around it once per loop.
    #local S = 0;
    #while (S < 48)
      #local Turn = S / 48 - Direction * Phase + Start / 40;
      cylinder {
        <Fan_Radius + 0.05, -0.122, -0.30>, <Fan_Radius + 0.05, 0.122, -0.30>, 0.052 rotate z * S * 7.5
        Glow(0.60 + 0.17 * cos(2 * pi * Turn), 0.85 + 0.45 * cos(2 * pi * Turn))
      }
      #local S = S + 1;
    #end
    torus { Fan_Radius + 0.17, 0.085 rotate x * 90 translate z * -0.30 texture { Shroud_Light } }
  }
#end

// ---------- the card ----------
#declare Fan_Offset = 2.55;
#declare Hole = cylinder { <0, 0, -1>, <0, 0, 0.75>, Fan_Radius + 0.1 }

#declare Card = union {
  // Shroud: a chamfered slab with two wells.
  difference {
    intersection {
      box { <-Card_Length / 2, -Card_Width / 2, -0.30>, <Card_Length / 2, Card_Width / 2, 0.62> }
      plane { x + y * 0.55, 4.55 }
      plane { -x - y * 0.55, 4.55 }
    }
    object { Hole translate x * Fan_Offset }
    object { Hole translate x * -Fan_Offset }
    // Lines that divide the face.
    box { <-0.06, -3, -1>, <0.06, 3, -0.22> rotate z * -24 }
    texture { Shroud_Dark }
  }
  // Brushed accents between the fans.
  prism {
    linear_spline -0.36, -0.29, 5
    <-0.62, 2.05>, <0.95, 2.05>, <0.34, 1.20>, <-0.24, 1.20>, <-0.62, 2.05>
    texture { Shroud_Light } rotate x * 90 scale <1, -1, 1>
  }
  prism {
    linear_spline -0.36, -0.29, 5
    <-0.62, 2.05>, <0.95, 2.05>, <0.34, 1.20>, <-0.24, 1.20>, <-0.62, 2.05>
    texture { Shroud_Light } rotate x * 90 scale <-1, 1, 1>
  }
  object { Fan(-1, 0) translate <-Fan_Offset, 0, 0.12> }
  object { Fan(-1, 20) translate <Fan_Offset, 0, 0.12> }
  // Cooler fins behind.
  #local F = 0;
  #while (F < 64)
    box { <-0.025, -2.05, 0.66>, <0.025, 2.10, 1.35> translate x * (-4.85 + F * 9.7 / 63) texture { Fin_Metal } }
    #local F = F + 1;
  #end
  // Heat pipes, board, backplate.
  cylinder { <-4.9, 1.2, 1.0>, <4.9, 1.2, 1.0>, 0.13 texture { Gold } }
  cylinder { <-4.9, -1.2, 1.0>, <4.9, -1.2, 1.0>, 0.13 texture { Gold } }
  box { <-5.15, -2.40, 1.38>, <5.15, 2.20, 1.46> texture { Board_Green } }
  box { <-5.2, -2.2, 1.47>, <5.2, 2.25, 1.56> texture { Shroud_Dark } }
  // Edge connector with its fingers.
  box { <-3.6, -2.78, 1.39>, <0.6, -2.38, 1.45> texture { Board_Green } }
  #local C = 0;
  #while (C < 24)
    box { <-0.055, -2.76, 1.375>, <0.055, -2.45, 1.465> translate x * (-3.48 + C * 0.172) texture { Gold } }
    #local C = C + 1;
  #end
  // The running light along the upper edge.
  #local L = 0;
  #while (L < 40)
    box { <-0.118, Card_Width / 2 - 0.02, 0.02>, <0.118, Card_Width / 2 + 0.05, 0.34> translate x * (-3.9 + L * 0.2)
      Glow(0.60 + 0.17 * cos(2 * pi * (L / 40 - Phase)), 0.45 + 0.95 * pow(0.5 + 0.5 * cos(2 * pi * (L / 40 - Phase)), 2)) }
    #local L = L + 1;
  #end
  // Slot bracket.
  difference {
    box { <-5.42, -2.6, -0.35>, <-5.30, 2.5, 1.6> }
    #local V = 0;
    #while (V < 9)
      box { <-6, -2.1 + V * 0.5, 0.0>, <-5, -1.82 + V * 0.5, 1.2> }
      #local V = V + 1;
    #end
    texture { Shroud_Light }
  }
}

object { Card rotate x * -4 rotate y * (-20 + 4 * Sway) translate y * (0.55 + 0.10 * cos(2 * pi * Phase)) }

// Its glow on the floor.
light_source {
  <0, -1.6, -2.6> rgb <0.10, 0.42, 0.85> * (0.8 + 0.2 * cos(2 * pi * Phase))
  fade_distance 2.4 fade_power 2 shadowless
}

camera {
  location <3.4, 4.3, -14.2>
  right x * image_width / image_height
  look_at <-0.3, -0.15, 0>
  angle 44
}
